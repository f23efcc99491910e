"""Transformer blocks that a condition shifts, scales and gates (adaLN; Peebles and Xie 2023)."""

from __future__ import annotations

import math
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

_EPS: Final = 1e-4


def time_waves(time: Float[Tensor, " n"], dim: int) -> Float[Tensor, "n dim"]:
    """Return cosines, then sines, of times at dim / 2 frequencies from 1 down to almost 1/10,000."""
    half = dim // 2
    frequency = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32, device=time.device) / half)
    angle = time.float()[:, None] * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


class TimeEmbedding(nn.Module):
    """Waves of the time, then two layers.

    Parameters
    ----------
    dim
        Length of what comes out.
    n_waves
        Length of the waves.
    """

    def __init__(self, dim: int, *, n_waves: int = 256) -> None:
        super().__init__()
        self.n_waves = n_waves
        self.layers = nn.Sequential(nn.Linear(n_waves, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, time: Float[Tensor, " n"]) -> Float[Tensor, "n dim"]:
        """Embed times, counted in steps."""
        return self.layers(time_waves(time, self.n_waves))


class AdaptiveBlock(nn.Module):
    """Self-attention and a feed-forward part, each on normalised tokens that the condition shifts, scales and gates.

    Parameters
    ----------
    dim, n_heads
        Length of a token and number of heads.
    ratio
        Inner length of the feed-forward part, in tokens' lengths.
    dropout
        On what attention and feed-forward part return.
    """

    def __init__(self, dim: int, *, n_heads: int, ratio: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.modulation = nn.Linear(dim, 6 * dim)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.fc1, self.fc2 = nn.Linear(dim, ratio * dim), nn.Linear(ratio * dim, dim)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(
        self,
        tokens: Float[Tensor, "*batch n dim"],
        condition: Float[Tensor, "*batch n dim"],
        seen: Bool[Tensor, "n n"] | None = None,
    ) -> Float[Tensor, "*batch n dim"]:
        """Pass tokens on; `seen` says which token (column) each one (row) may attend to, by default all."""
        shift, scale, gate, shift_2, scale_2, gate_2 = self.modulation(functional.silu(condition)).chunk(6, dim=-1)
        tokens = tokens + gate * self.dropout(self._attend(modulated(tokens, shift, scale), seen))
        inner = functional.gelu(self.fc1(modulated(tokens, shift_2, scale_2)))
        return tokens + gate_2 * self.dropout(self.fc2(inner))

    def _attend(self, tokens: Tensor, seen: Tensor | None) -> Tensor:
        heads = self.qkv(tokens).unflatten(-1, (3, self.n_heads, -1)).movedim(-3, 0).transpose(-2, -3)
        attended = functional.scaled_dot_product_attention(heads[0], heads[1], heads[2], attn_mask=seen)
        return self.proj(attended.transpose(-2, -3).flatten(-2))


class AdaptiveOutput(nn.Module):
    """The last layer: normalised tokens that the condition shifts and scales, then a linear map that starts at zero."""

    def __init__(self, dim: int, n_out: int) -> None:
        super().__init__()
        self.modulation, self.linear = nn.Linear(dim, 2 * dim), nn.Linear(dim, n_out)
        for layer in (self.modulation, self.linear):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, tokens: Float[Tensor, "*batch n dim"], condition: Float[Tensor, "*batch n dim"]
    ) -> Float[Tensor, "*batch n n_out"]:
        """Turn tokens into values."""
        shift, scale = self.modulation(functional.silu(condition)).chunk(2, dim=-1)
        return self.linear(modulated(tokens, shift, scale))


def modulated(tokens: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Normalise each token, then scale and shift it."""
    return functional.layer_norm(tokens, tokens.shape[-1:], eps=_EPS) * (1 + scale) + shift
