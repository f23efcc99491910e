"""Bytes: what disks, transfers and editors do to any file."""

from __future__ import annotations

from pathlib import Path
from random import Random

_OTHERS = (
    b"",
    b"\0",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    b"<!DOCTYPE html><html>404",
)


def mutate(path: Path, chance: Random) -> str:
    """Change some bytes."""
    data = bytearray(path.read_bytes())
    kind = chance.choice(
        ("flip", "flip", "cut", "zeros", "noise", "insert", "delete", "twice", "other", "head", "tail")
    )
    at = chance.randrange(len(data)) if data else 0
    n = min(len(data) - at, chance.choice((1, 4, 16, 400)))
    if kind == "flip":
        for _ in range(chance.choice((1, 1, 3, 20))):
            if data:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        data = data[: chance.choice((0, 1, 4, at, len(data) // 2, max(0, len(data) - 1)))]
    elif kind == "zeros":
        data[at : at + n] = bytes(n)
    elif kind == "noise":
        data[at : at + n] = chance.randbytes(n)
    elif kind == "insert":
        data[at:at] = chance.randbytes(chance.choice((1, 3, 100)))
    elif kind == "delete":
        del data[at : at + n]
    elif kind == "twice":
        data += bytes(data)
    elif kind == "other":
        data = bytearray(chance.choice(_OTHERS))
    elif kind == "head":
        head = min(len(data), 64)
        for _ in range(3):
            if head:
                data[chance.randrange(head)] = chance.choice((0, 1, 127, 128, 255))
    else:
        data += chance.randbytes(chance.choice((1, 1000)))
    path.write_bytes(bytes(data))
    return f"bytes: {kind} at {at} of {len(data)}"
