"""The coarsest of a section's patterns where it has too many spots for all of them, and squares for the rest."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float, Int
from scipy import linalg
from scipy.spatial.distance import cdist

N_PATTERNS: Final = 500
"""How many patterns are taken."""
_LANDMARKS: Final = 2000  # spots that the patterns are learnt from
_WAVES: Final = 2.0  # width of a square in half waves of the finest pattern
_ROWS: Final = 4096  # spots whose distances to all landmarks are held at once


def coarse_patterns(
    xy_um: Float[np.ndarray, "n_spots 2"], *, n_patterns: int = N_PATTERNS
) -> tuple[Float[np.ndarray, "n_spots n_patterns"], Int[np.ndarray, " n_spots"]]:
    """Return the coarsest patterns of `moran_basis`, nearly, and the square that each spot lies in.

    The patterns are computed on about 2000 spots spread evenly, carried to all spots (Nyström's extension: Williams
    and Seeger 2001), and made orthonormal. What they leave of a map varies within a wave of the finest of them, so
    that its sums over squares of that width are nearly independent of each other.

    Parameters
    ----------
    xy_um
        (n_spots, 2) positions on one section.
    n_patterns
        How many.

    Returns
    -------
    (n_spots, n_patterns), the coarsest first, orthonormal, none with a mean; and (n_spots,) numbers of squares from 0.
    """
    at, side_um = _landmarks(xy_um, min(_LANDMARKS, len(xy_um)))
    marks = xy_um[at]
    near = -cdist(marks, marks)
    usual, overall = near.mean(axis=0), near.mean()
    n_patterns = min(n_patterns, len(at) // 2)
    last = len(at) - 1
    size, patterns = linalg.eigh(
        near - usual - usual[:, None] + overall, subset_by_index=[last - n_patterns + 1, last], overwrite_a=True
    )
    carried = np.empty((len(xy_um), n_patterns))
    for start in range(0, len(xy_um), _ROWS):
        rows = -cdist(xy_um[start : start + _ROWS], marks)
        rows -= rows.mean(axis=1, keepdims=True) + usual - overall
        carried[start : start + _ROWS] = rows @ (patterns / size)[:, ::-1]
    _orthonormalise(carried)
    area_um2 = len(at) * side_um**2
    return carried, _squares(xy_um, _WAVES * np.sqrt(area_um2 / n_patterns))


def _landmarks(xy_um: Float[np.ndarray, "n_spots 2"], n: int) -> tuple[Int[np.ndarray, " n_marks"], float]:
    """Choose `n` or a few more spots, the most central of each square with any; and say how wide the squares are."""
    extent = np.ptp(xy_um, axis=0)
    side = max(float(np.sqrt(extent.prod() / n)), float(extent.max()) / n, 1e-9)
    for _ in range(20):  # squares without spots cost landmarks
        square, start = _squares(xy_um, side), xy_um.min(axis=0)
        off = np.linalg.norm((xy_um - start) / side % 1 - 0.5, axis=1)
        order = np.lexsort((off, square))
        first = order[np.unique(square[order], return_index=True)[1]]
        if len(first) >= n:
            break
        side *= 0.98 * np.sqrt(len(first) / n)
    return first, side


def _squares(xy_um: Float[np.ndarray, "n_spots 2"], side_um: float) -> Int[np.ndarray, " n_spots"]:
    column, row = np.floor((xy_um - xy_um.min(axis=0)) / side_um).astype(np.int64).T
    return np.unique(column * (row.max() + 1) + row, return_inverse=True)[1]


def _orthonormalise(maps: Float[np.ndarray, "n_spots n"]) -> None:
    """Take off the mean and what each column shares with those before it, in place (Cholesky QR)."""
    maps -= maps.mean(axis=0)
    upper = linalg.cholesky(maps.T @ maps)
    for start in range(0, len(maps), _ROWS):
        rows = maps[start : start + _ROWS]
        rows[:] = linalg.solve_triangular(upper, rows.T, trans="T").T
