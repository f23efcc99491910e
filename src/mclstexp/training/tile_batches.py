"""Tiles as training batches: read by threads, kept in memory while they fit."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from mclstexp.core.tiles import Tiles

KEPT_BYTES = 4 * 2**30
"""Decoded tiles are kept up to this size; more are read again in every epoch."""


class TileBatches:
    """Tiles of several sections, one below the other, by row number.

    Parameters
    ----------
    tiles
        One `Tiles` per section, all of one spec.
    n_threads
        Tiles read at once.
    """

    def __init__(self, tiles: Sequence[Tiles], *, n_threads: int = 4) -> None:
        self._places = [(part, i) for part in tiles for i in range(len(part))]
        size_px = tiles[0].spec.size_px
        self._kept: dict[int, np.ndarray] = {}
        self._n_kept = KEPT_BYTES // (3 * size_px**2)
        self._pool = ThreadPoolExecutor(n_threads)

    def __len__(self) -> int:
        return len(self._places)

    def __call__(self, rows: Int[Tensor, " n"]) -> UInt8[Tensor, "n 3 size size"]:
        """Return the tiles of `rows` as RGB, on the CPU."""
        images = np.stack(list(self._pool.map(self._read, rows.tolist())))
        return torch.from_numpy(images).permute(0, 3, 1, 2)

    def _read(self, row: int) -> np.ndarray:
        if row in self._kept:
            return self._kept[row]
        tiles, i = self._places[row]
        image = tiles.read(i)
        if len(self._kept) < self._n_kept:
            self._kept[row] = image
        return image
