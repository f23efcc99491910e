"""Spot encoders: measured expression (and where it was measured) to an embedding."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

UM_PER_UNIT = 100.0
"""Offsets enter the network in units of this many µm, so that they are of order one."""


class NeighbourTransformer(nn.Module):
    """Transformer over a spot and its true spatial neighbours; the spot's own token is the embedding.

    Each spot is a sequence of its own (itself first, then its neighbours), so the embedding does not depend on
    which other spots stand in the batch, in which order, or how many: unlike the published model, whose
    sequence is the mini-batch (Min et al., arXiv 2407.08216, spot encoder). Positions enter only
    as offsets in µm between tokens, through a learnt bias on the attention, hence a section may be shifted.

    Both branches of each block start at zero: the untrained encoder is linear, and with few spots it stays
    near that, which on real sections predicts better than a full Transformer from the first step.

    Parameters
    ----------
    n_genes
        Length of an expression vector.
    dim
        Length of the embedding.
    n_blocks, n_heads
        Depth and heads of the Transformer.
    dropout
        Share of inputs and branch outputs dropped in training.
    """

    def __init__(self, n_genes: int, dim: int, *, n_blocks: int = 1, n_heads: int = 4, dropout: float = 0.5) -> None:
        super().__init__()
        self.dim = dim
        self.dropout = nn.Dropout(dropout)
        self.embed = nn.Linear(n_genes, dim)
        self.blocks = nn.ModuleList(_Block(dim, n_heads=n_heads, dropout=dropout) for _ in range(n_blocks))

    def forward(
        self,
        expression: Float[Tensor, "n n_tokens n_genes"],
        offset_um: Float[Tensor, "n n_tokens 2"],
        present: Bool[Tensor, "n n_tokens"],
    ) -> Float[Tensor, "n dim"]:
        """Embed each spot from its own and its neighbours' expression."""
        # one mask for a spot and its neighbours: drawing it for each took a third of the time of a fit
        kept = self.dropout(torch.ones_like(expression[:, :1]))
        tokens = self.embed(expression * kept)
        if not self.blocks:
            return tokens[:, 0]
        between = (offset_um[:, None] - offset_um[:, :, None]) / UM_PER_UNIT
        geometry = torch.cat([between, between.norm(dim=-1, keepdim=True)], dim=-1)
        for block in self.blocks:
            tokens = block(tokens, geometry, present)
        return tokens[:, 0]


class _Block(nn.Module):
    """Pre-norm attention with a bias learnt from the offsets, then feed-forward; both added to the token."""

    def __init__(self, dim: int, *, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_attention, self.norm_feed = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.bias = nn.Sequential(nn.Linear(3, 16), nn.GELU(), nn.Linear(16, n_heads))
        self.out = nn.Linear(dim, dim)
        self.feed = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.dropout = nn.Dropout(dropout)
        for last in (self.out, self.feed[-1]):
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(
        self,
        tokens: Float[Tensor, "n n_tokens dim"],
        geometry: Float[Tensor, "n n_tokens n_tokens 3"],
        present: Bool[Tensor, "n n_tokens"],
    ) -> Float[Tensor, "n n_tokens dim"]:
        n, n_tokens, dim = tokens.shape
        heads = self.to_qkv(self.norm_attention(tokens)).view(n, n_tokens, 3, self.n_heads, -1)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (n, n_heads, n_tokens, dim / n_heads)
        bias = self.bias(geometry).permute(0, 3, 1, 2).masked_fill(~present[:, None, None], float("-inf"))
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        tokens = tokens + self.dropout(self.out(attended.transpose(1, 2).reshape(n, n_tokens, dim)))
        return tokens + self.dropout(self.feed(self.norm_feed(tokens)))
