"""Heads: what turns an encoder's output into an embedding."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """LN(p + W₂ GELU(p) + b₂) with p = W₁u + b₁: the head of BLEEP, HECLIP, ST-GCHB and mclSTExp.

    Parameters
    ----------
    in_dim, dim
        Length of the input and of the embedding.
    dropout
        Before the residual sum.
    """

    def __init__(self, in_dim: int, dim: int = 256, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.projection = nn.Linear(in_dim, dim)
        self.gelu = nn.GELU()
        self.fc = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, inputs: Float[Tensor, "n in_dim"]) -> Float[Tensor, "n dim"]:
        """Project; with unit norm gain each row has length √dim."""
        projected = self.projection(inputs)
        return self.norm(projected + self.dropout(self.fc(self.gelu(projected))))
