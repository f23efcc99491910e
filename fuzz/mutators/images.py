"""PNG and JPEG: sizes and kinds that the pixels do not have."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from random import Random

from fuzz.mutators import content


def mutate(path: Path, chance: Random) -> str:
    """Change what the header says."""
    data = bytearray(path.read_bytes())
    if data[:4] == b"\x89PNG":
        said = _png(data, chance)
    elif data[:2] == b"\xff\xd8":
        said = _jpeg(data, chance)
    else:
        return content.mutate(path, chance)
    path.write_bytes(bytes(data))
    return said


def _png(data: bytearray, chance: Random) -> str:
    what = chance.choice(("width", "height", "depth", "colour", "interlace", "both"))
    huge = chance.choice((0, 1, 65_535, 2**20, 2**31 - 1))
    if what in ("width", "both"):
        struct.pack_into(">I", data, 16, huge)
    if what in ("height", "both"):
        struct.pack_into(">I", data, 20, huge)
    if what in ("depth", "colour", "interlace"):
        data[{"depth": 24, "colour": 25, "interlace": 28}[what]] = chance.choice((0, 1, 2, 3, 4, 6, 16, 255))
    struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))  # the checksum is right
    return f"PNG: {what} {huge if what in ('width', 'height', 'both') else ''}"


def _jpeg(data: bytearray, chance: Random) -> str:
    at = data.find(b"\xff\xc0")
    what = chance.choice(("size", "components", "precision", "marker"))
    if at < 0 or what == "marker":
        data[2:4] = bytes((0xFF, chance.choice((0xD9, 0xDA, 0x00, 0xE1))))
    elif what == "size":
        struct.pack_into(">HH", data, at + 5, *chance.choice(((0, 0), (65535, 65535), (1, 1), (65535, 1))))
    else:
        data[at + (9 if what == "components" else 4)] = chance.choice((0, 1, 4, 12, 255))
    return f"JPEG: {what}"
