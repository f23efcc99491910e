"""A small Transformer encoder over tokens: pre-norm, rotary positions."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional


class Layer(nn.Module):
    """Attention and a feed-forward net four times as wide, each added to what it is given.

    Parameters
    ----------
    width, heads
        Of a token; heads must divide it into even parts.
    dropout
        Share of what is added that is dropped in training.
    """

    def __init__(self, width: int, heads: int, *, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.think = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.drop = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "n length width"], valid: Bool[Tensor, "n length"]
    ) -> Float[Tensor, "n length width"]:
        """Return the tokens with what they learnt from the valid ones."""
        n, length, width = x.shape
        parts = self.ask(self.first(x)).reshape(n, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(
            turned(query), turned(key), value, attn_mask=valid[:, None, None, :]
        )
        x = x + self.drop(self.answer(seen.transpose(1, 2).reshape(n, length, width)))
        return x + self.drop(self.think(self.second(x)))


def turned(x: Float[Tensor, "n heads length dim"]) -> Float[Tensor, "n heads length dim"]:
    """Turn pairs of numbers by an angle that grows with the place (Su and others 2021): products know distances."""
    length, half = x.shape[2], x.shape[3] // 2
    angle = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(half) / half)
    one, other = x[..., :half], x[..., half:]
    cosine, sine = angle.cos(), angle.sin()
    return torch.cat([one * cosine - other * sine, one * sine + other * cosine], dim=-1)
