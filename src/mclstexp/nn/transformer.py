"""The pre-norm Transformer block that HisToGene, Hist2ST, THItoGene and mclSTExp share."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head self-attention; no bias on queries, keys and values, one on the way out.

    Parameters
    ----------
    dim
        Length of a token.
    n_heads, head_dim
        Their product is the inner length, whatever `dim` is.
    dropout
        On the output.
    """

    def __init__(self, dim: int, *, n_heads: int = 8, head_dim: int = 64, dropout: float = 0.0) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.to_qkv = nn.Linear(dim, 3 * n_heads * head_dim, bias=False)
        self.to_out = nn.Linear(n_heads * head_dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        tokens: Float[Tensor, "n_sequences n_tokens dim"],
        bias: Float[Tensor, "*heads n_tokens n_tokens"] | None = None,
    ) -> Float[Tensor, "n_sequences n_tokens dim"]:
        """Let every token of a sequence attend to all of them; `bias` is added to the logits before the softmax."""
        n, n_tokens, _ = tokens.shape
        query, key, value = self._heads(tokens)
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.dropout(self.to_out(attended.transpose(1, 2).reshape(n, n_tokens, -1)))

    def weights(
        self, tokens: Float[Tensor, "n_sequences n_tokens dim"]
    ) -> Float[Tensor, "n_sequences n_heads n_tokens n_tokens"]:
        """Return how much each token (row) looks at each (column); a row adds up to 1."""
        query, key, _ = self._heads(tokens)
        return (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(dim=-1)

    def _heads(self, tokens: Float[Tensor, "n n_tokens dim"]) -> Float[Tensor, "3 n n_heads n_tokens head_dim"]:
        n, n_tokens, _ = tokens.shape
        return self.to_qkv(tokens).view(n, n_tokens, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)


class PreNormBlock(nn.Module):
    """z + attention(norm(z)), then z + feed-forward(norm(z)).

    Parameters
    ----------
    dim, n_heads, head_dim, dropout
        See `Attention`.
    hidden
        Inner length of the feed-forward part.
    """

    def __init__(
        self, dim: int, *, n_heads: int = 8, head_dim: int = 64, hidden: int | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        hidden = dim if hidden is None else hidden
        self.norm_attention = nn.LayerNorm(dim)
        self.attention = Attention(dim, n_heads=n_heads, head_dim=head_dim, dropout=dropout)
        self.norm_feed = nn.LayerNorm(dim)
        self.feed = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim), nn.Dropout(dropout)
        )

    def forward(
        self,
        tokens: Float[Tensor, "n_sequences n_tokens dim"],
        bias: Float[Tensor, "*heads n_tokens n_tokens"] | None = None,
    ) -> Float[Tensor, "n_sequences n_tokens dim"]:
        """Transform each sequence; `bias` as in `Attention`."""
        tokens = tokens + self.attention(self.norm_attention(tokens), bias)
        return tokens + self.feed(self.norm_feed(tokens))

    def weights(
        self, tokens: Float[Tensor, "n_sequences n_tokens dim"]
    ) -> Float[Tensor, "n_sequences n_heads n_tokens n_tokens"]:
        """Return how much each token looks at each, see `Attention.weights`."""
        return self.attention.weights(self.norm_attention(tokens))
