"""Lattices as stEnTrans's release lays them: which place of the array each pixel of its maps is.

Of Visium's array it learns on a part that is not staggered and answers on the whole, which is; and a zero is a spot
without counts as well as no spot. It is kept for the preset alone.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

Pixels = Int[np.ndarray, "_ _ 2"]
"""(array column, array row) of each pixel."""


def learnt_from(array_xy: Int[np.ndarray, "n_spots 2"], *, hexagonal: bool) -> tuple[Pixels, Pixels]:
    """Return the places of a coarse map, a quarter of the spots, and those of the fine map that it should become.

    Parameters
    ----------
    array_xy
        (array column, array row) of the spots.
    hexagonal
        Whether columns are two apart within a row, as Visium's; every fourth column of every second row is coarse.
    """
    if not hexagonal:
        first, last = array_xy.min(axis=0), array_xy.max(axis=0)
        n_columns, n_rows = (last - first + 1) // 2 * 2  # what is odd goes without its last
        row, column = np.mgrid[:n_rows, :n_columns]
        fine = np.stack([column, row], axis=-1) + first
        return fine[::2, ::2], fine
    first, last = -(-array_xy.min(axis=0) // 2) * 2, array_xy.max(axis=0)
    row, column = np.mgrid[: (last[1] - first[1]) // 2 + 1, : -(-(last[0] - first[0]) // 4)]
    coarse = np.stack([4 * column, 2 * row], axis=-1) + first
    there = _there(coarse, array_xy)
    n_rows, n_columns = (2 * (np.flatnonzero(there.any(axis=axis)).max() + 1) for axis in (1, 0))
    row, column = np.mgrid[:n_rows, :n_columns]
    return coarse, np.stack([2 * column - row % 2, row], axis=-1) + first


def answered_from(array_xy: Int[np.ndarray, "n_spots 2"], *, hexagonal: bool) -> Pixels:
    """Return the places of the map that is made finer: the whole array."""
    first, last = array_xy.min(axis=0), array_xy.max(axis=0)
    if not hexagonal:
        row, column = np.mgrid[: last[1] - first[1] + 1, : last[0] - first[0] + 1]
        return np.stack([column, row], axis=-1) + first
    first = first // 2 * 2
    row, column = np.mgrid[: last[1] - first[1] + 1, : (last[0] - first[0] + 1) // 2 + 1]
    return np.stack([2 * column + row % 2, row], axis=-1) + first


def finer(pixels: Pixels, *, hexagonal: bool) -> Float[np.ndarray, "fine_height fine_width 2"]:
    """Return the places, in array coordinates, of the map that is twice as fine."""
    first, (height, width, _) = pixels[0, 0], pixels.shape
    row, column = np.mgrid[: 2 * height, : 2 * width]
    if hexagonal:
        column = 2 * column - row % 2 + 2 * (row % 4 > 1)
    return np.stack([column, row], axis=-1) / 2 + first


def laid(
    values: Float[np.ndarray, "n_spots n_genes"], array_xy: Int[np.ndarray, "n_spots 2"], pixels: Pixels
) -> tuple[Float[np.ndarray, "n_genes height width"], Bool[np.ndarray, "height width"]]:
    """Return each gene's map, 0 where no spot is, and where one is."""
    maps, there = np.zeros((values.shape[1], *pixels.shape[:2])), _there(pixels, array_xy)
    spots = {(column, row): number for number, (column, row) in enumerate(array_xy.tolist())}
    numbers = [spots[column, row] for column, row in pixels[there].tolist()]
    maps[:, there] = values[numbers].T
    return maps, there


def _there(pixels: Pixels, array_xy: Int[np.ndarray, "n_spots 2"]) -> Bool[np.ndarray, "height width"]:
    """Say which pixels a spot is at."""
    spots = set(map(tuple, array_xy.tolist()))
    return np.array([[tuple(place) in spots for place in row] for row in pixels.tolist()])
