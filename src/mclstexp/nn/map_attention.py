"""Attention over the places of a map, and of places over what conditions a picture (Rombach and others 2022)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_GROUPS = 32
_EPS = 1e-6


class CrossAttention(nn.Module):
    """Tokens look at a context, or at each other.

    Parameters
    ----------
    dim
        Length of a token.
    context_dim
        Length of a context token; `dim` where tokens look at each other.
    n_heads
        Heads, of dim / n_heads numbers each.
    """

    def __init__(self, dim: int, context_dim: int, *, n_heads: int = 1) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query = nn.Linear(dim, dim, bias=False)
        self.key, self.value = (nn.Linear(context_dim, dim, bias=False) for _ in range(2))
        self.out = nn.Linear(dim, dim)

    def forward(
        self, tokens: Float[Tensor, "n n_tokens dim"], context: Float[Tensor, "n n_context context_dim"]
    ) -> Float[Tensor, "n n_tokens dim"]:
        """Return for each token the values of the context, by how much its key is like the token's query."""
        query, key, value = (
            part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for part in (self.query(tokens), self.key(context), self.value(context))
        )
        attended = functional.scaled_dot_product_attention(query, key, value)
        return self.out(attended.transpose(1, 2).flatten(-2))


class ContextBlock(nn.Module):
    """Self-attention, attention to the context, and a gated feed-forward part, each beside a way round it."""

    def __init__(self, dim: int, context_dim: int, *, n_heads: int = 1) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(dim) for _ in range(3))
        self.own = CrossAttention(dim, dim, n_heads=n_heads)
        self.cross = CrossAttention(dim, context_dim, n_heads=n_heads)
        self.gated, self.forth = nn.Linear(dim, 8 * dim), nn.Linear(4 * dim, dim)

    def forward(
        self, tokens: Float[Tensor, "n n_tokens dim"], context: Float[Tensor, "n n_context context_dim"]
    ) -> Float[Tensor, "n n_tokens dim"]:
        """Pass tokens on."""
        normed = self.norm1(tokens)
        tokens = tokens + self.own(normed, normed)
        tokens = tokens + self.cross(self.norm2(tokens), context)
        values, gate = self.gated(self.norm3(tokens)).chunk(2, dim=-1)
        return tokens + self.forth(values * functional.gelu(gate))


class MapTransformer(nn.Module):
    """A block over the places of a map, added to it; it starts as nothing.

    Parameters
    ----------
    dim
        Channels of the map, a multiple of 32.
    context_dim
        Length of a context token.
    n_heads
        Heads of its attention.
    """

    def __init__(self, dim: int, context_dim: int, *, n_heads: int = 1) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(_GROUPS, dim, eps=_EPS)
        self.into, self.back = nn.Conv2d(dim, dim, 1), nn.Conv2d(dim, dim, 1)
        self.block = ContextBlock(dim, context_dim, n_heads=n_heads)
        nn.init.zeros_(self.back.weight)
        nn.init.zeros_(self.back.bias)  # type: ignore[arg-type]  # it has one

    def forward(
        self, values: Float[Tensor, "n dim h w"], context: Float[Tensor, "n n_context context_dim"]
    ) -> Float[Tensor, "n dim h w"]:
        """Pass the map on."""
        tokens = self.into(self.norm(values)).flatten(2).transpose(1, 2)
        tokens = self.block(tokens, context)
        return values + self.back(tokens.transpose(1, 2).unflatten(2, values.shape[2:]))


class PlainAttention(nn.Module):
    """One head over the places of a map, as the first stage has it.

    Parameters
    ----------
    dim
        Channels of the map, a multiple of 32.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(_GROUPS, dim, eps=_EPS)
        self.query, self.key, self.value, self.out = (nn.Conv2d(dim, dim, 1) for _ in range(4))

    def forward(self, values: Float[Tensor, "n dim h w"]) -> Float[Tensor, "n dim h w"]:
        """Pass the map on."""
        normed = self.norm(values)
        query, key, value = (layer(normed).flatten(2).transpose(1, 2) for layer in (self.query, self.key, self.value))
        attended = functional.scaled_dot_product_attention(query, key, value)
        return values + self.out(attended.transpose(1, 2).unflatten(2, values.shape[2:]))
