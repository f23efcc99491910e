"""HDF5's heaps of texts, looked at before HDF5 reads them: a wrong size in one keeps it busy for ever."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Final

_MARK: Final = b"GCOL\x01\x00\x00\x00"
"""Signature, version and reserved bytes of a global heap collection (HDF5 file format, III.E)."""
_HEAD: Final = 16
"""Bytes before the first object, and of each object's own head."""
_MOST_BYTES: Final = 2**30
"""In a larger file heaps are not looked for: it takes longer than a second, and one flipped bit rarely meets one."""


def check_heaps(path: Path | str) -> None:
    """Walk through all heaps as HDF5 does.

    Raises
    ------
    ValueError
        If HDF5 would not come to the end of one.
    """
    if not 0 < Path(path).stat().st_size <= _MOST_BYTES:
        return
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_MARK)
        while start >= 0:
            _check(data, start)
            start = data.find(_MARK, start + 1)


def _check(data: mmap.mmap, start: int) -> None:
    if start + _HEAD > len(data):
        return
    (size,) = struct.unpack_from("<Q", data, start + 8)
    if start + size > len(data):
        return  # no heap, or one that HDF5 refuses
    at = _HEAD
    while at + _HEAD <= size:
        index, object_size = struct.unpack_from("<H6xQ", data, start + at)
        # object 0 is the free rest, whose size has its head in it
        step = object_size if index == 0 else _HEAD + -(-object_size // 8) * 8
        if step < _HEAD or step > size - at:
            msg = f"the texts at byte {start} do not fit their place"
            raise ValueError(msg)
        at += step
