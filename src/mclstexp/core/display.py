"""How things show themselves: one line in a terminal, a small table with a picture in a notebook."""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import UInt8

THUMBNAIL_PX: Final = 200
"""Longest side of a picture in a notebook."""
_MAX_ROWS: Final = 40


def plural(number: int, what: str) -> str:
    """Return "1 section", "2,000 sections"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def size(size_px: tuple[int, int], mpp: float) -> str:
    """Return "2318 × 2483 px at 2.75 µm/px"."""
    return f"{size_px[0]} × {size_px[1]} px at {mpp:g} µm/px"  # noqa: RUF001


def some(names: Iterable[str], *, most: int = 3) -> str:
    """Return the first of some names, and that there are more."""
    names = list(names)
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def fitted_on(provenance: Mapping[str, Any], genes: Sequence[str], spec: object) -> str:
    """Say in a few words what a model learnt from."""
    sections, patients = provenance["sections"], provenance["patients"]
    return (
        f"fitted on {plural(len(sections), 'section')} of {plural(len(patients), 'patient')} ({some(patients)}), "
        f"{plural(len(genes), 'gene')}, tiles of {spec}"
    )


def html_of(title: str, rows: Mapping[str, Any], *, picture: UInt8[np.ndarray, "h w 3"] | None = None) -> str:
    """Return a notebook's view of something.

    Parameters
    ----------
    title
        The first line.
    rows
        What is said of it, by name.
    picture
        Stands beside the rows.
    """
    cells = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(str(value))}</td></tr>"
        for name, value in list(rows.items())[:_MAX_ROWS]
    )
    shown = ""
    if picture is not None:
        data = base64.b64encode(png(picture)).decode("ascii")
        shown = f"<img alt='{html.escape(title)}' src='data:image/png;base64,{data}' style='margin-right:1em'>"
    return (
        f"<div><strong>{html.escape(title)}</strong>"
        f"<div style='display:flex;align-items:flex-start'>{shown}<table>{cells}</table></div></div>"
    )


def png(picture: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Return (rows, columns, 3) RGB as a PNG file; these few lines, for core reads and writes no images (ISO 15948)."""
    height, width, _ = picture.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), picture.reshape(height, -1)], axis=1)  # each unfiltered

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows.tobytes())), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
