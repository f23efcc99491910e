"""What is predicted of a slide so far, on disk: a killed run goes on from there."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import safetensors.numpy
from jaxtyping import Float, Float32
from numpy.typing import NDArray
from safetensors import SafetensorError

from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path

_PLAN: Final = "plan.json"
_MATRIX: Final = "expression.f32"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@final
class BlockStore:
    """Expression in one file, tile by tile, and beside it a small file per finished block.

    A block counts once its small file is there, which appears last and whole. The big file is given its full size
    at the start: a disk that is too small says so before hours of work.

    Parameters
    ----------
    folder
        Where it lies; made here. What an unlike run left there is removed.
    key
        What the numbers depend on; another key is another run.
    shape
        (n_tiles, n_genes).

    Raises
    ------
    InputError
        If the folder cannot be made or there is no room.
    """

    def __init__(self, folder: Path, *, key: dict[str, Any], shape: tuple[int, int]) -> None:
        self.folder, self._shape = folder, shape
        plan = json.dumps({"key": key, "shape": shape}, sort_keys=True)
        if not self._is(plan):
            shutil.rmtree(folder, ignore_errors=True)
            with _room(folder, 4 * shape[0] * shape[1]), atomic_path(folder) as path:
                path.mkdir()
                (path / _PLAN).write_text(plan, encoding="utf-8")
                with (path / _MATRIX).open("wb") as file:
                    _allocate(file.fileno(), 4 * shape[0] * shape[1])

    def _is(self, plan: str) -> bool:
        try:
            return (self.folder / _PLAN).read_text(encoding="utf-8") == plan
        except (OSError, UnicodeDecodeError):
            return False

    def write(
        self, number: int, rows: NDArray[np.int_], expression: Float32[np.ndarray, "n g"], columns: dict[str, NDArray]
    ) -> None:
        """Keep a finished block: expression (n_rows, n_genes) of `rows`, and columns (n_rows,) about them.

        Raises
        ------
        InputError
            If there is no room, or the folder cannot be written to any more.
        """
        width = 4 * self._shape[1]
        with _room(self.folder, expression.nbytes):
            with (self.folder / _MATRIX).open("r+b") as file:
                for run in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows) != 1) + 1):
                    file.seek(int(rows[run[0]]) * width)
                    file.write(expression[run[0] : run[-1] + 1].astype("<f4").tobytes())
                file.flush()
                os.fsync(file.fileno())
            with atomic_path(self._block(number)) as path:
                path.write_bytes(safetensors.numpy.save({name: np.array(values) for name, values in columns.items()}))

    def read(self, number: int) -> dict[str, NDArray] | None:
        """Return the columns of a finished block, or None where it is missing or damaged."""
        try:
            return safetensors.numpy.load(self._block(number).read_bytes())
        except (OSError, SafetensorError):
            return None

    def expression(self, *, n_rows: int = 1024) -> Iterator[Float[np.ndarray, "n g"]]:
        """Yield the expression of all tiles in order, `n_rows` at a time."""
        width = 4 * self._shape[1]
        with (self.folder / _MATRIX).open("rb") as file:
            for start in range(0, self._shape[0], n_rows):
                n = min(n_rows, self._shape[0] - start)
                yield np.frombuffer(file.read(n * width), "<f4").reshape(n, self._shape[1])

    def matrix(self) -> Float[np.ndarray, "n_tiles n_genes"]:
        """Return the expression of all tiles."""
        return np.fromfile(self.folder / _MATRIX, "<f4").reshape(self._shape)

    def column(self, number: int) -> Float[np.ndarray, " n_tiles"]:
        """Return one gene's expression at every tile."""
        return np.concatenate([block[:, number].copy() for block in self.expression()])  # a view keeps its block

    def remove(self) -> None:
        """Remove it all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _block(self, number: int) -> Path:
        return self.folder / f"block_{number:06d}.safetensors"


def _allocate(descriptor: int, n_bytes: int) -> None:
    if hasattr(os, "posix_fallocate") and n_bytes:
        try:
            os.posix_fallocate(descriptor, 0, n_bytes)
        except OSError as error:
            if error.errno in _FULL:
                raise
        else:
            return
    os.truncate(descriptor, n_bytes)  # some network file systems cannot allocate


@contextmanager
def _room(folder: Path, n_bytes: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = (
            f"room for {max(1, n_bytes // 2**20)} MB expected at {folder.parent}, found: {error.strerror}: "
            "free some and run the same again; it goes on from there"
        )
        raise InputError(msg) from error
