"""Cells pooled into pseudo-spots: what lies in one square or hexagon of a lattice is added up."""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float, Int
from scipy import sparse

from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError

Lattice = Literal["square", "hexagonal"]
LATTICES: Final[tuple[Lattice, ...]] = ("square", "hexagonal")
N_CELLS: Final = "n_cells"
"""obs: how many cells were added up."""


def pool(cells: AnnData, xy_um: Float[np.ndarray, "n 2"], *, pitch_um: float, lattice: Lattice) -> AnnData:
    """Add up the cells that lie nearest to each point of a lattice.

    Parameters
    ----------
    cells
        Counts of single cells.
    xy_um
        Where each lies, µm.
    pitch_um
        Distance between neighbouring points.
    lattice
        "square": each spot is a square of that side, side by side; "hexagonal": a hexagon, as of a honeycomb.

    Returns
    -------
    AnnData (n_spots, n_genes), spots without a cell left out: sums of counts; ``obs["n_cells"]``, places on the lattice
    as ``array_row`` and ``array_col`` (10x's way for hexagons, whose columns count half steps), and
    ``obsm["spatial"]`` in µm, the lattice's points.

    Raises
    ------
    InputError
        If the pitch is not positive or there is no such lattice.
    """
    if not (math.isfinite(pitch_um) and pitch_um > 0):
        msg = f"{word('pool_um')} must be a positive number of µm, or 0 for single cells, found {pitch_um!r}"
        raise InputError(msg)
    if lattice not in LATTICES:
        msg = f"{word('lattice')} square or hexagonal expected, found {lattice!r}"
        raise InputError(msg)
    array = _squares(xy_um, pitch_um) if lattice == "square" else _hexagons(xy_um, pitch_um)
    spots, of_cell, n_cells = np.unique(array, axis=0, return_inverse=True, return_counts=True)
    of_cell = of_cell.ravel()
    adding = sparse.csr_matrix((np.ones(len(of_cell), np.int64), (of_cell, np.arange(len(of_cell)))))
    names = [f"{column}x{row}" for column, row in spots.tolist()]
    obs = pd.DataFrame(
        {N_CELLS: n_cells, keys.ARRAY_ROW: spots[:, 1], keys.ARRAY_COL: spots[:, 0]},
        index=pd.Index(names, dtype=object),
    )
    pooled = AnnData(sparse.csr_matrix(adding @ sparse.csr_matrix(cells.X)), obs=obs, var=cells.var.copy())
    pooled.obsm[keys.SPATIAL] = _points(spots, pitch_um, lattice)
    return pooled


def _squares(xy_um: Float[np.ndarray, "n 2"], pitch_um: float) -> Int[np.ndarray, "n 2"]:
    return np.floor(xy_um / pitch_um).astype(np.int64)


def _hexagons(xy_um: Float[np.ndarray, "n 2"], pitch_um: float) -> Int[np.ndarray, "n 2"]:
    """Return (array column, array row) of the nearest point of the two square-on lattices that make a honeycomb."""
    step = np.array([pitch_um, pitch_um * math.sqrt(3)])
    even = np.round(xy_um / step).astype(np.int64)
    odd = np.floor(xy_um / step).astype(np.int64)
    to_even = ((xy_um - even * step) ** 2).sum(axis=1)
    to_odd = ((xy_um - (odd + 0.5) * step) ** 2).sum(axis=1)
    return np.where((to_even <= to_odd)[:, None], 2 * even, 2 * odd + 1)


def _points(spots: Int[np.ndarray, "m 2"], pitch_um: float, lattice: Lattice) -> Float[np.ndarray, "m 2"]:
    if lattice == "square":
        return (spots + 0.5) * pitch_um
    return spots * np.array([pitch_um / 2, pitch_um * math.sqrt(3) / 2])
