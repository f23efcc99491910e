"""TIFF: one tag of one directory changed, or the chain of directories bent."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

_TEXTS = (b"ImageJ=1.11a\nunit=parsec\n", b"<?xml?><OME><Image></OME>", b"Aperio |MPP = nan|", b"\xff" * 40, b"{" * 200)


def mutate(path: Path, chance: Random) -> str:
    """Change a tag of a classic TIFF."""
    data = bytearray(path.read_bytes())
    order = "<" if data[:2] == b"II" else ">"
    if struct.unpack_from(f"{order}H", data, 2)[0] != 42:
        msg = "no classic TIFF"
        raise ValueError(msg)
    directories = []
    at = struct.unpack_from(f"{order}I", data, 4)[0]
    while at and at not in directories and len(directories) < 20:
        directories.append(at)
        n_tags = struct.unpack_from(f"{order}H", data, at)[0]
        at = struct.unpack_from(f"{order}I", data, at + 2 + 12 * n_tags)[0]
    start = chance.choice(directories)
    n_tags = struct.unpack_from(f"{order}H", data, start)[0]
    if chance.random() < 0.1:
        following = chance.choice((start, 0, len(data) - 2, 2**31, directories[0]))
        struct.pack_into(f"{order}I", data, start + 2 + 12 * n_tags, following)
        said = f"next directory at {following}"
    else:
        tag_at = start + 2 + 12 * chance.randrange(n_tags)
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, tag_at)
        said = f"tag {tag} " + _change(data, order, tag_at, (kind, count), chance)
    path.write_bytes(bytes(data))
    return said


def _change(data: bytearray, order: str, at: int, was: tuple[int, int], chance: Random) -> str:
    kind, count = was
    what = chance.choice(("value", "value", "value", "type", "count", "tag", "text"))
    if what == "value":
        value = chance.choice((0, 1, 2, 3, 5, 7, 8, 255, 32946, 65535, 2**31, 2**32 - 1, len(data)))
        struct.pack_into(f"{order}I", data, at + 8, value)
        return f"value {value}"
    if what == "type":
        struct.pack_into(f"{order}H", data, at + 2, chance.choice((0, 1, 2, 5, 12, 13, 16, 99)))
    elif what == "count":
        struct.pack_into(f"{order}I", data, at + 4, chance.choice((0, 1, 3, count + 1, 2**20, 2**31)))
    elif what == "tag":
        struct.pack_into(f"{order}H", data, at, chance.choice((0, 256, 259, 262, 277, 317, 330, 338, 347, 65000)))
    elif kind == 2 and count > 4:  # text
        offset = struct.unpack_from(f"{order}I", data, at + 8)[0]
        text = chance.choice(_TEXTS)[:count]
        data[offset : offset + len(text)] = text
        return f"text {text[:20]!r}"
    return what
