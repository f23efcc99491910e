"""Heads: what turns an encoder's output into an embedding, or into expression."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.core.errors import InputError


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


class Reduction(nn.Module):
    """(x - mean) C: a linear reduction that was learnt before and stays as it is.

    Parameters
    ----------
    mean, components
        As `training.aligned.fit_reduction` returns them.
    """

    mean: Tensor
    components: Tensor

    def __init__(
        self, mean: Float[Tensor, " n_features"], components: Float[Tensor, "n_features n_components"]
    ) -> None:
        super().__init__()
        require_as_many(mean, components)
        self.register_buffer("mean", mean)
        self.register_buffer("components", components)

    def forward(self, features: Float[Tensor, "n n_in"]) -> Float[Tensor, "n n_components"]:
        """Reduce."""
        return (features - self.mean) @ self.components


class Standardise(nn.Module):
    """(x - mean) / spread, each value by itself.

    Parameters
    ----------
    mean, spread
        Of the training spots; a spread of 0 counts as 1.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, mean: Float[Tensor, " n"], spread: Float[Tensor, " n"]) -> None:
        super().__init__()
        require_as_many(mean, spread)
        self.register_buffer("mean", mean)
        self.register_buffer("spread", torch.where(spread > 0, spread, 1.0))

    def forward(self, values: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Standardise."""
        return (values - self.mean) / self.spread


def require_as_many(mean: Tensor, other: Tensor) -> None:
    """Refuse what is subtracted and what it is then divided by, or multiplied with, of different lengths.

    Raises
    ------
    InputError
        If they differ: both come from a file where a model is loaded.
    """
    if mean.ndim != 1 or len(mean) != len(other):
        msg = f"as many means as features expected in a network, found {tuple(mean.shape)} and {tuple(other.shape)}: "
        raise InputError(msg + "copy the model again")
