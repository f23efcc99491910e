"""Predictions on disk, asked whether they are finished: for what, and whether all of it can still be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.io.guard import reading
from mclstexp.io.hdf5 import opened_hdf5
from mclstexp.io.zarr_store import check_zarr

_WHAT: Final = "a prediction"
_ROWS: Final = 1024


def prediction_key(path: Path) -> str | None:
    """Return the key that a prediction (.h5ad, or .zarr of SpatialData) was written with; None where it tells none."""
    try:
        with _opened(path) as table:
            key = table[f"uns/{keys.PROVENANCE}/{keys.IDENTITY}"][()]
            return key.decode() if isinstance(key, bytes) else str(key)
    except InputError:
        return None


def is_whole(path: Path) -> bool:
    """Read a prediction to its last number, a block at a time, and say whether that was possible."""
    try:
        with _opened(path) as table:
            _read_all(table)
    except InputError:
        return False
    return True


def count_unreadable(path: Path) -> int:
    """Return how many tiles of a slide's prediction could not be decoded.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    with _opened(path) as table:
        return int(np.asarray(table[f"obs/{keys.UNREADABLE}"][:]).sum())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open the table of a prediction; its parts are found by their names in both formats."""
    if path.is_dir():
        check_zarr(path, _WHAT)
        with reading(path, _WHAT):
            yield zarr.open_group(path / "tables" / "table", mode="r")
    else:
        with opened_hdf5(path, _WHAT) as file:
            yield file


def _read_all(part: Any) -> None:
    if not hasattr(part, "shape"):
        for name in part:
            _read_all(part[name])
    elif part.shape:
        for start in range(0, part.shape[0], _ROWS):
            part[start : start + _ROWS]
    else:
        part[()]
