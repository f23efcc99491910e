"""Tiles as small pictures in one array: what networks that read pixels themselves take."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from mclstexp.core.tiles import Tiles

N_READERS: Final = 4
"""Threads that read tiles."""


def read_patches(tiles: Tiles, *, size_px: int) -> UInt8[np.ndarray, "n_tiles 3 size size"]:
    """Read every tile at its own spec and shrink it to `size_px` pixels a side.

    The tissue seen is the tile's (``tiles.spec.size_um``); only the sampling changes, with antialiasing. It is read
    at its own spec first because stored patches cannot be read at any other.

    Parameters
    ----------
    tiles
        Where to look.
    size_px
        Side of the result; 112 in HisToGene, Hist2ST and THItoGene.

    Returns
    -------
    (n_tiles, 3, rows, columns) RGB; about 38 kB a tile at 112 px.
    """
    patches = np.empty((len(tiles), 3, size_px, size_px), np.uint8)

    def read(row: int) -> None:
        pixels = tiles.read(row)
        if len(pixels) != size_px:
            pixels = np.asarray(Image.fromarray(pixels).resize((size_px, size_px), Image.Resampling.BICUBIC))
        patches[row] = pixels.transpose(2, 0, 1)

    with ThreadPoolExecutor(N_READERS, thread_name_prefix="read-patches") as pool:
        list(pool.map(read, range(len(tiles))))
    return patches
