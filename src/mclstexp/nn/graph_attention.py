"""Graph attention (Veličković et al., ICLR 2018) over short lists of neighbours instead of an N × N matrix."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

LEAK = 0.01
"""Slope of the LeakyReLU below zero (THItoGene; 0.2 in the GAT paper)."""


class GraphAttention(nn.Module):
    """One head: the mean of the neighbours' W h, weighted by softmax of LeakyReLU(a · [W hᵢ ‖ W hⱼ]) (eqs 1 to 4).

    A node without a neighbour attends to itself alone, which the published code does too on a section of one spot.

    Parameters
    ----------
    in_dim, dim
        Length of a node's vector before and after.
    dropout
        Share of the attention weights dropped in training.
    """

    def __init__(self, in_dim: int, dim: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_dim, dim))
        self.attention = nn.Parameter(torch.empty(2 * dim, 1))
        self.dropout = nn.Dropout(dropout)
        for parameter in (self.weight, self.attention):
            nn.init.xavier_uniform_(parameter, gain=2**0.5)

    def forward(
        self,
        nodes: Float[Tensor, "n in_dim"],
        index: Int[Tensor, "n n_neighbours"],
        present: Bool[Tensor, "n n_neighbours"],
    ) -> Float[Tensor, "n dim"]:
        """Let each node attend to its neighbours.

        Parameters
        ----------
        nodes
            One vector per node.
        index
            Rows of each node's neighbours; any row where there is none.
        present
            False where there is none. A node is its own neighbour only if it stands in its list.
        """
        alone = ~present.any(dim=1)
        index = torch.where(alone[:, None], torch.arange(len(nodes), device=index.device)[:, None], index)
        known = present | alone[:, None]
        changed = nodes @ self.weight
        own, other = (changed @ self.attention.view(2, -1).T).unbind(dim=1)
        scores = functional.leaky_relu(own[:, None] + other[index], LEAK)
        weights = self.dropout(scores.masked_fill(~known, -torch.inf).softmax(dim=1))
        return (weights[:, :, None] * changed[index]).sum(dim=1)


class GraphAttentionNetwork(nn.Module):
    """Several heads side by side (ELU), joined, then one more head (ELU); dropout before each of the two layers.

    Parameters
    ----------
    in_dim
        Length of a node's vector.
    n_heads, dim
        Heads of the first layer, and what each returns.
    out_dim
        What the last layer returns.
    dropout
        On nodes and on attention weights.
    """

    def __init__(
        self, in_dim: int, *, n_heads: int = 8, dim: int = 1024, out_dim: int = 512, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.heads = nn.ModuleList(GraphAttention(in_dim, dim, dropout=dropout) for _ in range(n_heads))
        self.out = GraphAttention(n_heads * dim, out_dim, dropout=dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        nodes: Float[Tensor, "n in_dim"],
        index: Int[Tensor, "n n_neighbours"],
        present: Bool[Tensor, "n n_neighbours"],
    ) -> Float[Tensor, "n out_dim"]:
        """Pass messages twice; see `GraphAttention`."""
        nodes = self.dropout(nodes)
        joined = torch.cat([functional.elu(head(nodes, index, present)) for head in self.heads], dim=1)
        return functional.elu(self.out(self.dropout(joined), index, present))
