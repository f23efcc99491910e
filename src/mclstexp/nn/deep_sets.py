"""DeepSpot's network: a tile, its parts and its surroundings as sets of features (Nonchev et al. 2025)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class MedianEnsemble(nn.Module):
    """φ: the element-wise median of members ReLU(dropout(Wx + b)).

    Parameters
    ----------
    in_dim, dim
        Length of input and output.
    n_members
        Members; of an even number the lower of the two middle values is taken, as published.
    dropout
        Share dropped in each member, in training.
    """

    def __init__(self, in_dim: int, dim: int, *, n_members: int, dropout: float) -> None:
        super().__init__()
        self.n_members = n_members
        self.members = nn.Linear(in_dim, dim * n_members)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch dim"]:
        """Transform each vector by itself."""
        members = self.dropout(self.members(inputs)).relu()
        # members last: they lie side by side in memory, which is where a median is quick
        return members.unflatten(-1, (-1, self.n_members)).median(dim=-1).values


class MeanEnsemble(nn.Module):
    """ρ: the mean of members dropout(W ReLU(dropout(x)) + b).

    Parameters
    ----------
    in_dim, dim
        Length of input and output.
    n_members
        Members, each with dropout of its own.
    dropout
        Share of the inputs dropped, in training.
    out_dropout
        Share of the outputs dropped, in training.
    """

    def __init__(self, in_dim: int, dim: int, *, n_members: int, dropout: float, out_dropout: float) -> None:
        super().__init__()
        self.members = nn.ModuleList(
            nn.Sequential(nn.Dropout(dropout), nn.ReLU(), nn.Linear(in_dim, dim), nn.Dropout(out_dropout))
            for _ in range(n_members)
        )

    def forward(self, inputs: Float[Tensor, "n in_dim"]) -> Float[Tensor, "n dim"]:
        """Average the members."""
        return torch.stack([member(inputs) for member in self.members]).mean(dim=0)


class DeepSets(nn.Module):
    """ρ([φ(tile); Σ φ(parts); max φ(surroundings)]): parts and surroundings have no order.

    Parameters
    ----------
    in_dim
        Features of a tile, a part or a neighbour.
    n_genes
        Length of the output.
    dim
        Length of φ's output (published: 512).
    n_members
        Members of φ and of ρ (published: 10).
    dropout
        In φ and on ρ's input (published: 0.3).
    out_dropout
        On ρ's output, in training (published: 0.1).
    """

    def __init__(
        self,
        in_dim: int,
        n_genes: int,
        *,
        dim: int = 512,
        n_members: int = 10,
        dropout: float = 0.3,
        out_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.phi = MedianEnsemble(in_dim, dim, n_members=n_members, dropout=dropout)
        self.rho = MeanEnsemble(3 * dim, n_genes, n_members=n_members, dropout=dropout, out_dropout=out_dropout)

    def forward(
        self,
        tile: Float[Tensor, "n in_dim"],
        parts: Float[Tensor, "n n_parts in_dim"],
        around: Float[Tensor, "n n_around in_dim"],
    ) -> Float[Tensor, "n n_genes"]:
        """Predict each tile by itself.

        Parameters
        ----------
        tile, parts, around
            Features of the tiles, of their parts and of their neighbours.
        """
        summed, largest = self.phi(parts).sum(dim=1), self.phi(around).amax(dim=1)
        return self.rho(torch.cat([self.phi(tile), summed, largest], dim=1))
