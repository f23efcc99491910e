"""Positions as vectors: learnt tables of whole coordinates (HisToGene, Hist2ST, mclSTExp), or waves (SEPAL)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles

PUBLISHED_POSITIONS = 64
"""Rows of each table in HisToGene, Hist2ST and THItoGene: the legacy arrays have at most 35."""


class PositionTables(nn.Module):
    """The sum of one learnt vector per column and one per row.

    Parameters
    ----------
    n_positions
        Coordinates run from 0 to n_positions - 1. The published mclSTExp keeps 65,536 rows a table, of which
        an array of 33 × 35 uses 35: the unused rows never touch a result, so only those that can occur are kept.
    dim
        Length of the vectors.
    """

    def __init__(self, n_positions: int, dim: int) -> None:
        super().__init__()
        self.column = nn.Embedding(n_positions, dim)
        self.row = nn.Embedding(n_positions, dim)

    def forward(self, position: Int[Tensor, "n 2"]) -> Float[Tensor, "n dim"]:
        """Look up (column, row), each in [0, n_positions)."""
        return self.column(position[:, 0]) + self.row(position[:, 1])

    def spread(self, std: float) -> None:
        """Draw both tables anew with this standard deviation; torch's own, as published, is 1."""
        for table in (self.column, self.row):
            nn.init.normal_(table.weight, std=std)


def whole(position: Float[Tensor, "n 2"]) -> Int[Tensor, "n 2"]:
    """Cut coordinates to whole numbers towards zero, as published."""
    return torch.trunc(position).long()


def array_positions(tiles: Tiles) -> Int[Tensor, "n 2"]:
    """Return the tiles' (array column, array row), cut to whole numbers.

    Raises
    ------
    InputError
        If the tiles have none.
    """
    if tiles.array_xy is None:
        msg = (
            f"array coordinates (array_col, array_row) expected for the tiles of {tiles.slide.id}, found none: "
            "add them, lay the tiles with Tiles.grid, or use a method that needs µm alone"
        )
        raise InputError(msg)
    return whole(torch.from_numpy(tiles.array_xy.astype("float32")))


def table_rows(positions: Sequence[Int[Tensor, "_ 2"]], *, n_positions: int | None) -> int:
    """Return how many rows position tables need for training sections.

    Parameters
    ----------
    positions
        One `array_positions` per section.
    n_positions
        Rows asked for; None: as many as the sections need, at least the published 64.

    Raises
    ------
    InputError
        If a coordinate is negative or beyond the rows asked for.
    """
    joined = torch.cat(list(positions))
    lowest, highest = int(joined.min()), int(joined.max())
    if lowest < 0:
        msg = f"array coordinates from 0 on expected by the position tables, found {lowest}: shift them"
        raise InputError(msg)
    if n_positions is not None and highest >= n_positions:
        msg = (
            f"array coordinates below n_positions ({n_positions}) expected by the position tables, found {highest}: "
            f"set n_positions to {highest + 1} or more"
        )
        raise InputError(msg)
    return max(PUBLISHED_POSITIONS, highest + 1) if n_positions is None else n_positions


def sincos_2d(position: Float[Tensor, "*n 2"], dim: int) -> Float[Tensor, "*n dim"]:
    """Return sines and cosines of x, then of y, at wavelengths from 2π to 2π · 10,000 units.

    The fixed encoding of Vaswani et al. (arXiv 1706.03762, §3.5), half of it for each axis.

    Parameters
    ----------
    position
        (…, 2) places in any unit; a step of 1 turns the fastest wave by one radian.
    dim
        Length of the vectors: sin x, cos x, sin y, cos y, a quarter each.

    Raises
    ------
    ValueError
        If `dim` is not a positive multiple of 4.
    """
    if dim < 4 or dim % 4:
        msg = f"a multiple of 4 expected as length of a 2-D sine-cosine encoding, found {dim}"
        raise ValueError(msg)
    n_waves = dim // 4
    rate = 1e4 ** (-torch.arange(n_waves, dtype=position.dtype, device=position.device) / n_waves)
    angle = position[..., None] * rate  # (…, 2, n_waves)
    return torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(-2)
