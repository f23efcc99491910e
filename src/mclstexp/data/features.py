"""`FeatureCache`: tile embeddings on disk, found again by place."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import final

import numpy as np
import pooch
import safetensors.numpy
from filelock import FileLock
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path, remove_tree, sweep

_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return where this package keeps what can be made again: ``$MCLSTEXP_CACHE``, or the platform's cache folder."""
    return Path(os.environ.get("MCLSTEXP_CACHE") or pooch.os_cache("mclstexp"))


@final
class FeatureCache:
    """Embeddings under one key of `identity.of_features`: a folder of shards that are only ever added.

    A shard is named by the SHA-256 of its bytes. So a damaged one is known, and processes that write at once
    cannot harm each other: equal names hold equal bytes.

    Parameters
    ----------
    folder
        The cache's folder; need not exist.
    key
        What the embeddings depend on, see `identity.of_features`.
    """

    def __init__(self, folder: Path, *, key: str) -> None:
        self._folder = folder / "features" / key[:2] / key

    def lookup(
        self, xy: Float[np.ndarray, "n_tiles 2"], *, dim: int
    ) -> tuple[Float[np.ndarray, "n_tiles dim"], Bool[np.ndarray, " n_tiles"]]:
        """Find embeddings by tile centre.

        Parameters
        ----------
        xy
            Centres in level-0 pixels; only exactly equal ones are found.
        dim
            Length of an embedding.

        Returns
        -------
        (n_tiles, dim) float32, zeros where there is none, and (n_tiles,) whether there is one.

        Raises
        ------
        InputError
            If the folder cannot be read.
        """
        features = np.zeros((len(xy), dim), np.float32)
        present = np.zeros(len(xy), bool)
        with suppress(OSError):  # then a bounded cache keeps it for longer
            os.utime(self._folder)
        wanted = places(xy)
        for path in self._shards():
            shard = _read_shard(path)
            if shard is None:
                continue
            stored = places(shard["xy"])
            order = np.argsort(stored)
            at = order[np.searchsorted(stored, wanted, sorter=order).clip(max=len(stored) - 1)]
            hit = stored[at] == wanted
            features[hit] = shard["features"][at[hit]]
            present |= hit
        return features, present

    def check_writable(self) -> None:
        """Refuse a folder that cannot be written to, before anything is computed for it.

        What processes that died left half written in it, and in those of other keys, is removed.

        Raises
        ------
        InputError
            If it cannot; the message says what to set.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            writable = os.access(self._folder, os.W_OK | os.X_OK)
        except OSError:
            writable = False
        if not writable:
            msg = (
                f"a cache folder that can be written to expected, found {self._folder.parents[2]}: "
                "set MCLSTEXP_CACHE (or cache_dir) to one of your own"
            )
            raise InputError(msg)
        _sweep_all(self._folder.parents[1])

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Compute under this key while no other process does; a process that dies gives its turn back.

        Where the file system knows no locks, everybody computes: twice the work, never a wrong number.
        """
        lock = FileLock(self._folder / "turn.lock")
        with suppress(OSError, NotImplementedError):
            lock.acquire()
        try:
            yield
        finally:
            lock.release()  # of one that was not had: nothing

    def add(self, xy: Float[np.ndarray, "n_tiles 2"], features: Float[np.ndarray, "n_tiles dim"]) -> None:
        """Keep the embeddings (float32) of the tiles centred on `xy` as one shard; none makes no shard.

        Raises
        ------
        InputError
            If the folder cannot be written to or is full.
        """
        if len(xy) == 0:
            return
        places, values = np.ascontiguousarray(xy, np.float64), np.ascontiguousarray(features, np.float32)
        data = safetensors.numpy.save({"xy": places, "features": values})
        try:
            with atomic_path(self._folder / f"{hashlib.sha256(data).hexdigest()}.safetensors", ours=True) as path:
                path.write_bytes(data)
        except OSError as error:
            msg = f"room for {len(data)} bytes expected in {self._folder.parents[2]}, found: {error.strerror}"
            raise InputError(msg) from error

    def _shards(self) -> list[Path]:
        try:
            # in order of name, so that what is found never depends on the file system
            return sorted(self._folder.glob("[0-9a-f]*.safetensors"))
        except OSError as error:
            msg = f"a cache folder that can be read expected at {self._folder}, found: {error.strerror}"
            raise InputError(msg) from error


@cache
def _sweep_all(folder: Path) -> None:
    """Remove the scratch of dead processes under all keys: once in a process, for there may be many."""
    for key in folder.glob("*/*"):
        sweep(key)


def places(xy: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return one sortable number per (column, row)."""
    return np.ascontiguousarray(xy, np.float64).view(np.complex128).ravel()


def _read_shard(path: Path) -> dict[str, NDArray] | None:
    """Read a shard; remove one that is damaged, so that it is made again."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:  # another process found it damaged first
        return None
    except OSError as error:
        if not (path.is_dir() or path.is_symlink()):  # a folder, or a link that leads to itself: no file of ours
            msg = f"a cache that can be read expected at {path.parent}, found: {error.strerror}: set MCLSTEXP_CACHE"
            raise InputError(msg) from error
    else:
        if hashlib.sha256(data).hexdigest() == path.stem:
            return safetensors.numpy.load(data)
    _log.warning("cached tile embeddings in %s are damaged and will be computed again", path)
    try:
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError:  # a cache that is only read is passed over, not mended
        _log.warning("the damaged %s cannot be removed", path)
    return None
