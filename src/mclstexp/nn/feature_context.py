"""Frozen features as tokens that a picture is conditioned on (Graikos and others, 2312.07330)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class FeatureContext(nn.Module):
    """Features of length one, mapped to a token; zeros stay zeros, so that "no condition" is a token of its own.

    Parameters
    ----------
    n_features
        Length of the features; of several tokens, of each.
    context_dim
        Length of a token.
    """

    def __init__(self, n_features: int | tuple[int, ...], context_dim: int) -> None:
        super().__init__()
        lengths = (n_features,) if isinstance(n_features, int) else n_features
        self.maps = nn.ModuleList(nn.Linear(length, context_dim) for length in lengths)

    def forward(self, *features: Float[Tensor, "n _"]) -> Float[Tensor, "n n_tokens context_dim"]:
        """Return a token for each kind of features, in their order (tile, then region)."""
        return torch.stack(
            [to_token(functional.normalize(part, dim=1)) for to_token, part in zip(self.maps, features, strict=True)],
            dim=1,
        )
