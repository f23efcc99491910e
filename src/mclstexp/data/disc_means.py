"""Means over discs that hold very many places: the graph of who is near whom is never made.

Places are put into the cells of a lattice. The places of two cells are all near each other, or none is, but for cells
about a radius apart. The sure ones are added up by a filter over the lattice, the doubtful ones pair by pair, so that
the result is that of the graph, up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from scipy import fft, sparse

from mclstexp.data.lattice import Lattice

BLOCK: Final = 2**22
"""Numbers that each of a few working arrays holds: 32 MiB in double precision."""
_FINEST: Final = 1 / 64  # of a radius: smaller squares leave fewer pairs in doubt and make the filter slower
_ROUNDING: Final = 1e-9  # of a radius: cells so near to it are in doubt


def disc_means(
    features: Float[np.ndarray, "n_places dim"],
    xy_um: Float[np.ndarray, "n_places 2"],
    *,
    radius_um: float,
    array_xy: Float[np.ndarray, "n_places 2"] | None = None,
) -> Float[np.ndarray, "n_places dim"]:
    """Average the features of all other places within a radius; a place without any keeps its own.

    Beside input and result, memory is a few times `BLOCK` numbers, or so many times the lattice's cells where that is
    more. Time grows with places and features, hardly with the radius.

    Parameters
    ----------
    features
        (n_places, dim), finite.
    xy_um
        (n_places, 2) positions.
    radius_um
        Who lies so near, or nearer, counts.
    array_xy
        (n_places, 2) (array column, array row), where there is an array: on it hardly a pair is in doubt.

    Returns
    -------
    (n_places, dim) float32.
    """
    lattice = Lattice.over(xy_um, array_xy=array_xy, finest_um=_FINEST * radius_um)
    sure, doubtful = _offsets(lattice, radius_um)
    add_up = _Filter(lattice, sure)
    itself = int((sure == 0).all(axis=1).any())  # no neighbour of itself
    n_near = np.rint(add_up(np.ones((len(xy_um), 1)))[:, 0]) - itself
    total = np.empty(features.shape, np.float32)
    for some in _channels(features.shape[1], size=max(1, BLOCK // lattice.n_cells)):
        of_all = features[:, some].astype(np.float64)
        total[:, some] = add_up(of_all) - itself * of_all
    for rows, near in _doubtful_pairs(lattice, xy_um, doubtful, radius_um=radius_um):
        n_near[rows] += np.diff(near.indptr)
        for some in _channels(features.shape[1], size=max(1, BLOCK // len(features))):
            total[rows, some] += near @ features[:, some].astype(np.float64)
    mean = np.divide(total, np.maximum(n_near, 1)[:, None], out=total)
    mean[n_near == 0] = features[n_near == 0]
    return mean


class _Filter:
    """Add up, at each place, what lies in cells at given offsets: a product of Fourier transforms."""

    def __init__(self, lattice: Lattice, offsets: Int[np.ndarray, "n_offsets 2"]) -> None:
        self._sides, self._cell = lattice.sides, lattice.flat
        reach = np.abs(offsets).max(axis=0, initial=0)
        # so much room that nothing comes round from the other side
        self._padded = [fft.next_fast_len(int(n + r), real=True) for n, r in zip(self._sides, reach, strict=True)]
        kernel = np.zeros(self._padded)
        kernel[tuple(offsets.T)] = 1
        self._kernel = fft.rfft2(kernel)

    def __call__(self, values: Float[np.ndarray, "n_places n"]) -> Float[np.ndarray, "n_places n"]:
        """Return the sums of each column."""
        n_cells = self._sides[0] * self._sides[1]
        picture = np.stack([np.bincount(self._cell, weights=column, minlength=n_cells) for column in values.T])
        spectrum = fft.rfft2(picture.reshape(-1, *self._sides), s=self._padded)
        spectrum *= self._kernel
        sums = fft.irfft2(spectrum, s=self._padded)[:, : self._sides[0], : self._sides[1]]
        return sums.reshape(len(picture), -1)[:, self._cell].T


def _offsets(lattice: Lattice, radius_um: float) -> tuple[Int[np.ndarray, "n_sure 2"], Int[np.ndarray, "n_doubtful 2"]]:
    """Return which steps from cell to cell are surely within the radius, and which may be."""
    slack_um = 2 * lattice.off_um + _ROUNDING * radius_um
    # the lattice's lines of one direction lie at least so far apart
    apart_um = abs(np.linalg.det(lattice.basis_um)) / np.linalg.norm(lattice.basis_um, axis=1)[::-1]
    reach = np.minimum((radius_um + slack_um) // apart_um, np.array(lattice.sides) - 1).astype(int)
    steps = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 2)
    away_um = np.linalg.norm(steps @ lattice.basis_um, axis=1)
    sure = away_um <= radius_um - slack_um
    return steps[sure], steps[~sure & (away_um <= radius_um + slack_um)]


def _doubtful_pairs(
    lattice: Lattice,
    xy_um: Float[np.ndarray, "n_places 2"],
    offsets: Int[np.ndarray, "n_offsets 2"],
    *,
    radius_um: float,
) -> Iterator[tuple[Int[np.ndarray, " n_rows"], sparse.csr_matrix]]:
    """Yield rows and, of them, who lies near at these offsets: (n_rows, n_places), 1 where near."""
    if len(offsets) == 0:
        return
    sides, n_places = np.array(lattice.sides), len(xy_um)
    order = np.argsort(lattice.flat, kind="stable")
    n_inside = np.bincount(lattice.flat, minlength=lattice.n_cells)
    start = np.cumsum(n_inside) - n_inside
    # rows whose cells hold as many as the fullest would fill a block
    size = max(1, BLOCK // (len(offsets) * int(n_inside.max())))
    for first in range(0, n_places, size):
        rows = np.arange(first, min(first + size, n_places))
        cell = lattice.cell[rows, None] + offsets
        row, at = np.nonzero(((cell >= 0) & (cell < sides)).all(axis=2))
        cell = cell[row, at] @ [sides[1], 1]
        n_there = n_inside[cell]
        row = np.repeat(row, n_there)
        within = np.arange(len(row)) - np.repeat(np.cumsum(n_there) - n_there, n_there)
        other = order[np.repeat(start[cell], n_there) + within]
        away = xy_um[other] - xy_um[rows[row]]
        near = ((away**2).sum(axis=1) <= radius_um**2) & (other != rows[row])
        ones = (np.ones(near.sum()), (row[near], other[near]))
        yield rows, sparse.csr_matrix(ones, shape=(len(rows), n_places))


def _channels(n: int, *, size: int) -> Iterator[slice]:
    return (slice(first, first + size) for first in range(0, n, size))
