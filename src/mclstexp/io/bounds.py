"""How much a file may unpack to: what it declares must be stored in it, or memory and disk are anybody's."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Final

from mclstexp.core.errors import InputError

RATIO: Final = 1100
"""Bytes that a stored byte can stand for at most: deflate's limit is 1032 (RFC 1951), JPEG's about as high."""
SPARE_BYTES: Final = 256 * 2**20
"""Bytes that need not be stored at all."""
_TEXT_RATIO: Final = 300
"""Tables of counts, nearly all of them zero, pack a hundredfold."""
_BLOCK: Final = 2**20


def require_stored(path: Path | str, *, declared: int, stored: int, part: str = "") -> None:
    """Refuse a file that declares far more than it holds.

    Parameters
    ----------
    path
        The file.
    declared, stored
        Bytes when unpacked, and bytes in the file.
    part
        Which part of it this is about.

    Raises
    ------
    InputError
        If they cannot belong together.
    """
    if declared > SPARE_BYTES + RATIO * stored:
        of = f"{part} of {path}" if part else str(path)
        msg = f"what is stored in {of} expected, found {stored} bytes to declare {declared:.3g}: do not trust it"
        raise InputError(msg)


def check_gzip(path: Path) -> None:
    """Refuse a gzipped text that unpacks to far more than any table does; other files are left alone.

    Raises
    ------
    InputError
        If it does.
    """
    limit = SPARE_BYTES + _TEXT_RATIO * path.stat().st_size
    if path.suffix != ".gz" or path.stat().st_size * RATIO <= SPARE_BYTES:
        return
    with gzip.open(path) as file:
        n_bytes = 0
        while block := file.read(_BLOCK):
            n_bytes += len(block)
            if n_bytes > limit:
                msg = f"a table expected in {path}, found it to unpack to more than {limit:.3g} bytes: do not trust it"
                raise InputError(msg)
