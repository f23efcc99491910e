"""What is predicted of a slide so far, on disk: a killed run goes on from there."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, final

import numpy as np
import safetensors.numpy
from jaxtyping import Float, Float32
from numpy.typing import NDArray
from safetensors import SafetensorError

from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path, remove_tree

_MATRIX: Final = "expression.f32"
_CHECKSUM: Final = 32
"""Bytes of it at the start of a block's file."""
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@final
class BlockStore:
    """Expression in one file, tile by tile, and beside it a small file per finished block.

    A block counts once its small file is there, which appears last and whole. It begins with a checksum of the key, of
    what follows, and of the block's expression in the big file: a block that is damaged, or another run's, is none.
    The big file is given its full size at the start: a disk that is too small says so before hours of work.

    Parameters
    ----------
    folder
        Where it lies; made here.
    key
        What the numbers depend on.
    shape
        (n_tiles, n_genes).

    Raises
    ------
    InputError
        If the folder cannot be made or there is no room.
    """

    def __init__(self, folder: Path, *, key: str, shape: tuple[int, int]) -> None:
        self.folder, self._key, self._shape = folder, key, shape
        n_bytes = 4 * shape[0] * shape[1]
        with _room(folder, n_bytes):
            folder.mkdir(parents=True, exist_ok=True)
            if self._matrix.is_symlink():  # what is written lies here, and not where a link leads
                self._matrix.unlink()
            if not self._matrix.is_file() or self._matrix.stat().st_size != n_bytes:
                self._make_matrix(n_bytes)

    def write(
        self, number: int, rows: NDArray[np.int_], expression: Float32[np.ndarray, "n g"], columns: dict[str, NDArray]
    ) -> None:
        """Keep a finished block: expression (n_rows, n_genes) of `rows`, and columns (n_rows,) about them.

        Raises
        ------
        InputError
            If there is no room, or the folder cannot be written to any more.
        """
        expression = np.ascontiguousarray(expression, "<f4")
        with _room(self.folder, expression.nbytes):
            with self._matrix.open("r+b") as file:
                for run in _runs(rows):
                    file.seek(int(rows[run[0]]) * 4 * self._shape[1])
                    file.write(expression[run[0] : run[-1] + 1].data)
                file.flush()
                os.fsync(file.fileno())
            about = safetensors.numpy.save({name: np.array(values) for name, values in columns.items()})
            with atomic_path(self._block(number), durable=False, ours=True) as path:
                path.write_bytes(self._checksum(about, rows, expression) + about)

    def read(self, number: int, rows: NDArray[np.int_]) -> dict[str, NDArray] | None:
        """Return the columns of a finished block, or None where it, or its expression, is missing or damaged."""
        try:
            content = self._block(number).read_bytes()
            with self._matrix.open("rb") as file:
                expression = np.concatenate([self._read(file, rows[run]) for run in _runs(rows)])
            if content[:_CHECKSUM] != self._checksum(content[_CHECKSUM:], rows, expression):
                return None
            return safetensors.numpy.load(content[_CHECKSUM:])
        except (OSError, ValueError, SafetensorError):
            return None

    def expression(self, *, n_rows: int = 1024) -> Iterator[Float[np.ndarray, "n g"]]:
        """Yield the expression of all tiles in order, `n_rows` at a time."""
        with self._matrix.open("rb") as file:
            for start in range(0, self._shape[0], n_rows):
                yield self._read(file, np.arange(start, min(start + n_rows, self._shape[0])))

    def matrix(self) -> Float[np.ndarray, "n_tiles n_genes"]:
        """Return the expression of all tiles."""
        return np.fromfile(self._matrix, "<f4").reshape(self._shape)

    def column(self, number: int) -> Float[np.ndarray, " n_tiles"]:
        """Return one gene's expression at every tile."""
        return np.concatenate([block[:, number].copy() for block in self.expression()])  # a view keeps its block

    def _make_matrix(self, n_bytes: int) -> None:
        if self._matrix.is_dir():
            remove_tree(self._matrix)
        try:
            with self._matrix.open("wb") as file:
                _allocate(file.fileno(), n_bytes)
        except BaseException:
            self._matrix.unlink(missing_ok=True)
            raise

    @property
    def _matrix(self) -> Path:
        return self.folder / _MATRIX

    def _block(self, number: int) -> Path:
        return self.folder / f"block_{number:06d}"

    def _read(self, file: BinaryIO, rows: NDArray[np.int_]) -> NDArray[np.float32]:
        """Read rows that follow each other."""
        width = 4 * self._shape[1]
        file.seek(int(rows[0]) * width)
        return np.frombuffer(file.read(len(rows) * width), "<f4").reshape(len(rows), self._shape[1])

    def _checksum(self, about: bytes, rows: NDArray[np.int_], expression: NDArray[np.float32]) -> bytes:
        digest = hashlib.sha256(f"{self._key} {self._shape} {len(about)} {rows.tolist()}".encode())
        digest.update(about)
        digest.update(expression.data)
        return digest.digest()


def _runs(rows: NDArray[np.int_]) -> list[NDArray[np.int_]]:
    """Split the places of rows into runs of rows that follow each other."""
    return np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows) != 1) + 1)


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
