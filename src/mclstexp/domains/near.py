"""Who lies beside whom: direct neighbours on an array, the nearest among scattered cells."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.spatial import KDTree

from mclstexp.data.neighbours import adjacency
from mclstexp.io.pitch import neighbour_distance_px

_REACH: Final = 1.3
"""Pitches within which neighbours lie: six on a hexagonal array, four on a square one."""
_REGULAR: Final = 0.25
_FEW_AXES, _TIES = 3, 8
_CELLS_AROUND: Final = 30
"""Nearest cells that count as neighbours where places are on no array."""


def on_array(places: Float[np.ndarray, "n_spots n_axes"]) -> bool:
    """Whether places lie as on an array: nine of ten are as far from their nearest as is usual, within 25 %."""
    if len(places) < 3:
        return False
    nearest = KDTree(places).query(places, k=2)[0][:, 1]
    usual = float(np.median(nearest))
    return usual > 0 and float(np.mean(np.abs(nearest / usual - 1) < _REGULAR)) > 0.9


def neighbours(places: Float[np.ndarray, "n_spots n_axes"], n_nearest: int | None = None) -> sparse.csr_matrix:
    """Return the directed 0/1 matrix (n_spots, n_spots) of who counts as whose neighbour, without loops.

    Parameters
    ----------
    places
        Where spots lie, in any unit.
    n_nearest
        The nearest so many; by default the direct neighbours on an array, whatever their order, and of scattered cells
        the 30 nearest.
    """
    if n_nearest is None and on_array(places):
        return adjacency(places, radius_um=_REACH * (neighbour_distance_px(places) or 0.0))
    return nearest(places, _CELLS_AROUND if n_nearest is None else n_nearest)


def nearest(points: Float[np.ndarray, "n dim"], n_nearest: int) -> sparse.csr_matrix:
    """Return the directed 0/1 matrix of each point's nearest others; of those as near the first rows count."""
    index = nearest_rows(points, n_nearest)
    rows = np.repeat(np.arange(len(points)), index.shape[1])
    return sparse.csr_matrix((np.ones(index.size), (rows, index.ravel())), shape=(len(points), len(points)))


def nearest_rows(points: Float[np.ndarray, "n dim"], n_nearest: int) -> Int[np.ndarray, "n n_nearest"]:
    """Return the rows of each point's nearest others, nearest first; of those as near the first rows come first."""
    n_nearest = min(n_nearest, len(points) - 1)
    if points.shape[1] <= _FEW_AXES:
        return _by_tree(points, n_nearest)
    index = np.empty((len(points), n_nearest), np.intp)
    at_once = max(1, 2**22 // len(points))
    for start in range(0, len(points), at_once):  # never all pairs at once
        some = points[start : start + at_once]
        apart = _squared(some, points)
        apart[np.arange(len(some)), np.arange(start, start + len(some))] = np.inf
        index[start : start + len(some)] = np.argsort(apart, axis=1, kind="stable")[:, :n_nearest]
    return index


def _by_tree(points: np.ndarray, n_nearest: int) -> np.ndarray:
    """Look for a few more than are asked for, so that the order of rows settles which of those as near count."""
    apart, rows = KDTree(points).query(points, k=min(n_nearest + 1 + _TIES, len(points)))
    apart = np.round(apart / max(float(apart.max()), 1e-300), 9)
    apart[rows == np.arange(len(points))[:, None]] = np.inf  # itself, also beside a twin
    order = np.lexsort((rows, apart), axis=1)[:, :n_nearest]
    return np.take_along_axis(rows, order, axis=1)


def _squared(some: np.ndarray, points: np.ndarray) -> np.ndarray:
    product = some @ points.T
    return (some**2).sum(axis=1)[:, None] + (points**2).sum(axis=1) - 2 * product
