"""Places as cells of a lattice: a capture array is one, and over any other places one can be laid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
from jaxtyping import Float, Int

from mclstexp.io.pitch import neighbour_distance_px

MOST_CELLS: Final = 8
"""Cells per place, at most: a lattice over scattered places grows coarser instead."""
_NEAR: Final = 0.1  # of a step: places farther from their cell are not on this array


@dataclass(frozen=True, eq=False)
class Lattice:
    """Cells that places lie in; a cell may hold none or several."""

    cell: Int[np.ndarray, "n_places 2"]
    """(column, row) of each place, from 0 on."""
    basis_um: Float[np.ndarray, "2 2"]
    """µm of a step along columns (first row) and along rows; oblique and mirrored ones too."""
    off_um: float
    """The farthest that a place lies from the centre of its cell."""

    @cached_property
    def sides(self) -> tuple[int, int]:
        """Number of (columns, rows)."""
        n_columns, n_rows = self.cell.max(axis=0) + 1
        return int(n_columns), int(n_rows)

    @property
    def n_cells(self) -> int:
        """Number of cells, empty ones too."""
        return self.sides[0] * self.sides[1]

    @cached_property
    def flat(self) -> Int[np.ndarray, " n_places"]:
        """Number of each place's cell, column by column."""
        return self.cell[:, 0] * self.sides[1] + self.cell[:, 1]

    @classmethod
    def over(
        cls,
        xy_um: Float[np.ndarray, "n_places 2"],
        *,
        array_xy: Float[np.ndarray, "n_places 2"] | None,
        finest_um: float,
    ) -> Self:
        """Take the capture array where the places lie on it; otherwise lay squares over them.

        Parameters
        ----------
        xy_um
            (n_places, 2) positions.
        array_xy
            (n_places, 2) (array column, array row), where there is an array.
        finest_um
            Squares need not be smaller than this.
        """
        array = None if array_xy is None else cls._array(xy_um, array_xy)
        return cls._squares(xy_um, finest_um=finest_um) if array is None else array

    @classmethod
    def _array(cls, xy_um: np.ndarray, array_xy: np.ndarray) -> Self | None:
        """Fit steps to a capture array; None where its numbers are not where the places are."""
        if not np.isfinite(array_xy).all():
            return None
        cell = np.rint(array_xy).astype(np.int64)
        cell -= cell.min(axis=0)
        if (cell.max(axis=0) + 1.0).prod() > MOST_CELLS * len(cell):
            return None
        design = np.column_stack([cell, np.ones(len(cell))])
        linear, _, rank, _ = np.linalg.lstsq(design, xy_um, rcond=None)
        off = float(np.linalg.norm(xy_um - design @ linear, axis=1).max())
        if rank < 3 or off > _NEAR * np.linalg.norm(linear[:2], axis=1).min():
            return None
        return cls(cell, linear[:2], off)

    @classmethod
    def _squares(cls, xy_um: np.ndarray, *, finest_um: float) -> Self:
        extent = np.maximum(np.ptp(xy_um, axis=0), 1e-9)
        apart = neighbour_distance_px(xy_um) or 0.0
        side = max(apart / 2, finest_um, *(extent / (MOST_CELLS * len(xy_um))))
        while (np.floor(extent / side) + 1).prod() > MOST_CELLS * len(xy_um):
            side *= 1.25
        cell = np.floor((xy_um - xy_um.min(axis=0)) / side).astype(np.int64)
        return cls(cell, np.eye(2) * side, side * np.sqrt(0.5) * (1 + 1e-9))
