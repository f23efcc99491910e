"""A seal beside a file says whether it is still what was written, and for what: what is resumed is never assumed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from mclstexp.io.atomic import atomic_path

_SUFFIX: Final = ".seal"


def seal(path: Path, *, key: str = "") -> None:
    """Say that a file is finished: write the checksum of its content and of `key` beside it.

    Parameters
    ----------
    path
        A file, whole.
    key
        What it depends on; under another key it counts for nothing.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    with atomic_path(_beside(path), durable=False, ours=True) as temporary:
        temporary.write_text(_checksum(path, key) + "\n", encoding="ascii")


def is_sealed(path: Path, *, key: str = "") -> bool:
    """Say whether a file is there, and as it was when `seal` was called with the same key.

    One that is absent, damaged, of another key or never sealed is to be made again.
    """
    try:
        return _beside(path).read_bytes().decode("ascii", "replace").strip() == _checksum(path, key)
    except OSError:
        return False


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}{_SUFFIX}")


def _checksum(path: Path, key: str) -> str:
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(f"{content} {key}".encode()).hexdigest()
