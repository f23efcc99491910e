"""Pictures that no microscope took: every file says so in itself, and how it was made."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from jaxtyping import UInt8
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mclstexp.core import identity
from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path
from mclstexp.io.guard import reading

KEY: Final = "mclstexp"
"""Entry of a PNG's text that holds what is said of it, as JSON."""
MARK: Final = "synthetic"
"""Said of every picture that was painted; names of slides and sections begin with it."""
_TILE_PX: Final = 256
_LARGE_PX: Final = 1024
"""Side beyond which viewers are given smaller copies."""
_BIG_BYTES: Final = 2**31
"""Of pixels, beyond which plain TIFF may not be able to say where they lie."""
_OURS: Final = uuid.UUID("2f0b6f0c-4a0e-5d8a-8d52-6f6c1b1f5a10")
"""Within which our files' UUIDs are unique."""


def write_stamped_png(
    picture: UInt8[np.ndarray, "height width 3"], path: Path | str, *, said: Mapping[str, Any]
) -> Path:
    """Write a painted picture as PNG; the file appears whole or not at all.

    Parameters
    ----------
    picture
        RGB.
    path
        Where to.
    said
        What is said of it, see `Generator.said_of`; that it is synthetic is added.
    """
    text = PngInfo()
    text.add_text("Comment", f"{MARK}: painted by a model, no picture of tissue")
    text.add_itxt(KEY, _as_text(said))
    with atomic_path(Path(path)) as temporary, temporary.open("wb") as file:
        Image.fromarray(picture).save(file, "PNG", pnginfo=text)
    return Path(path)


def write_stamped_slide(
    picture: UInt8[np.ndarray, "height width 3"],
    path: Path | str,
    *,
    mpp: float,
    said: Mapping[str, Any],
    repeat: tuple[int, int] = (1, 1),
) -> Path:
    """Write a painted picture as a slide: an OME-TIFF with a pyramid, which opens as any other slide.

    Parameters
    ----------
    picture
        RGB.
    path
        The file (``.ome.tif``), which appears whole or not at all.
    mpp
        µm per pixel.
    said
        As for `write_stamped_png`.
    repeat
        How often the picture is laid (below each other, side by side); of one painted without end there is no seam.
        Memory holds the picture once.

    Raises
    ------
    InputError
        If `repeat` is less than once.
    """
    if min(repeat) < 1:
        msg = f"a picture laid once or more in both directions expected, found {repeat}: give 1 or more"
        raise InputError(msg)
    levels = [picture]
    while max(side * times for side, times in zip(levels[-1].shape, repeat, strict=False)) > _LARGE_PX:
        if any(side % 2 for side in levels[-1].shape[:2]):
            break  # a period must stay whole
        levels.append(_halved(levels[-1]))
    metadata = {
        "axes": "YXS",
        "Name": f"{MARK} slide",
        "Description": _as_text(said),
        "PhysicalSizeX": mpp,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": mpp,
        "PhysicalSizeYUnit": "µm",
        "UUID": str(uuid.uuid5(_OURS, identity.of("synthetic slide", picture, mpp, dict(said), list(repeat)))),
    }
    path, big = Path(path), picture.nbytes * repeat[0] * repeat[1] > _BIG_BYTES
    with atomic_path(path) as temporary, tifffile.TiffWriter(temporary, ome=True, bigtiff=big) as tiff:
        for number, level in enumerate(levels):
            side_cm = mpp * 1e-4 * 2**number  # for readers of plain TIFF
            first: dict[str, Any] = (
                {"subifds": len(levels) - 1, "metadata": metadata} if number == 0 else {"subfiletype": 1}
            )
            height, width = (side * times for side, times in zip(level.shape[:2], repeat, strict=True))
            tiff.write(
                _tiles(level, height, width),
                shape=(height, width, 3),
                dtype=np.uint8,
                tile=(_TILE_PX, _TILE_PX),
                compression="zlib",
                photometric="rgb",
                resolution=(1 / side_cm, 1 / side_cm),
                resolutionunit="CENTIMETER",
                **first,
            )
    return path


def read_stamp(path: Path | str) -> dict[str, Any] | None:
    """Return what a painted picture says of itself; None of one that says nothing, as pictures of tissue do.

    Raises
    ------
    InputError
        If the file is no PNG or TIFF.
    """
    path = Path(path)
    with reading(path, "a picture"):
        if path.suffix.lower() == ".png":
            with Image.open(path) as picture:
                text = getattr(picture, "text", {}).get(KEY)
        else:
            with tifffile.TiffFile(path) as file:
                images = tifffile.xml2dict(file.ome_metadata or "").get("OME", {}).get("Image", {})
            found = images.get("Description") if isinstance(images, dict) else None
            text = json.dumps(found) if isinstance(found, dict) else found
        said = json.loads(text) if isinstance(text, str) and text.startswith("{") else None
    return said if isinstance(said, dict) and said.get(MARK) is True else None


def _as_text(said: Mapping[str, Any]) -> str:
    return json.dumps({**said, MARK: True}, default=str, ensure_ascii=False)


def _tiles(level: UInt8[np.ndarray, "height width 3"], height: int, width: int) -> Iterator[np.ndarray]:
    """Yield tiles of a picture that is repeated up to a size."""
    for top in range(0, height, _TILE_PX):
        rows = (top + np.arange(_TILE_PX)) % level.shape[0]
        for left in range(0, width, _TILE_PX):
            columns = (left + np.arange(_TILE_PX)) % level.shape[1]
            yield np.ascontiguousarray(level[rows[:, None], columns])


def _halved(level: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "half_height half_width 3"]:
    height, width = level.shape[:2]
    parts = level.reshape(height // 2, 2, width // 2, 2, 3).astype(np.uint16)
    return ((parts.sum(axis=(1, 3)) + 2) // 4).astype(np.uint8)
