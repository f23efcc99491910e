"""Where a map is highest: the places a reader should look at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.spatial import cKDTree

_WIDTH: Final = 1.5
"""Standard deviation of the smoothing, in sides of a tile."""
_REACH: Final = 3.0
"""How far it looks, in sides."""
_APART: Final = 6.0
"""Distance two regions keep, in sides."""
_APART_SHARE: Final = 0.04
"""The same in shares of the map, for large maps of small tiles: what is looked at together is one region."""


@dataclass(frozen=True)
class Peak:
    """A place where a smoothed map is highest."""

    xy: tuple[float, float]
    """Centre of the tile, level-0 pixels."""
    value: float
    """The smoothed map there."""


class Smoother:
    """A Gaussian over neighbouring tiles, on a grid or not.

    Parameters
    ----------
    xy
        (n_tiles, 2) centres.
    side
        How wide a tile is, in their unit.
    """

    def __init__(self, xy: Float[np.ndarray, "n_tiles 2"], side: float) -> None:
        self._xy = xy
        self._apart = max(_APART * side, _APART_SHARE * float(np.ptp(xy, axis=0).max()))
        tree = cKDTree(xy)
        near = tree.sparse_distance_matrix(tree, _REACH * side, output_type="coo_matrix")
        weights = np.exp(-0.5 * (near.data / (_WIDTH * side)) ** 2).astype(np.float32)
        # distances of 0 are stored, so that a tile is its own neighbour
        self._weights = sparse.csr_matrix((weights, (near.row, near.col)), shape=near.shape)

    def smooth(
        self, values: Float[np.ndarray, " n_tiles"]
    ) -> tuple[Float[np.ndarray, " n_tiles"], Float[np.ndarray, " n_tiles"]]:
        """Return the weighted mean of each tile and its neighbours, and the weight behind it; NaN has none."""
        there = np.isfinite(values)
        weight = self._weights @ there.astype(np.float32)
        total = self._weights @ np.where(there, values, 0).astype(np.float64)
        return np.where(there, total / np.maximum(weight, 1e-9), np.nan), weight

    def peaks(self, values: Float[np.ndarray, " n_tiles"], *, most: int = 10) -> list[Peak]:
        """Find the local maxima of the smoothed map, highest first.

        A maximum lies above the median of the map and six tiles, and a 25th of the map, from a higher one. A tile with
        few neighbours counts only where none has many: a crumb at the rim is noise, not a region.

        Parameters
        ----------
        values
            (n_tiles,) the map; NaN is nowhere high.
        most
            How many at most.
        """
        smooth, weight = self.smooth(values)
        there = np.isfinite(smooth)
        if not there.any() or np.ptp(smooth[there]) <= 1e-6 * np.abs(smooth[there]).max():  # rounding
            return []
        level = np.where(there, smooth, -np.inf)
        rows = np.repeat(np.arange(len(level)), np.diff(self._weights.indptr))
        around = np.full(len(level), -np.inf)
        np.maximum.at(around, rows, level[self._weights.indices])
        candidates = there & (level >= around) & (level > np.median(smooth[there]))
        firm = candidates & (weight >= 0.5 * np.max(weight))
        candidates = firm if firm.any() else candidates
        chosen: list[int] = []
        for index in np.flatnonzero(candidates)[np.argsort(-level[candidates], kind="stable")]:
            far = np.hypot(*(self._xy[chosen] - self._xy[index]).T) >= self._apart
            if far.all():
                chosen.append(int(index))
            if len(chosen) == most:
                break
        return [Peak((float(self._xy[i, 0]), float(self._xy[i, 1])), float(smooth[i])) for i in chosen]
