"""Positions as learnt tables of whole coordinates, as HisToGene, Hist2ST and mclSTExp have them."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


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


def whole(position: Float[Tensor, "n 2"]) -> Int[Tensor, "n 2"]:
    """Cut coordinates to whole numbers towards zero, as published."""
    return torch.trunc(position).long()
