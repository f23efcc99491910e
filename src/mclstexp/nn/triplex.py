"""TRIPLEX's network: a tile's parts, its surroundings and its whole slide, fused (Chung et al., CVPR 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.nn.transformer import PreNormBlock


@dataclass(frozen=True)
class TriplexSizes:
    """How large the network is; the defaults are the published ones (ST arrays)."""

    dim: int = 512
    """Length of a token."""
    n_side: int = 5
    """Tiles along a side of the window."""
    depths: tuple[int, ...] = (1, 3, 3)
    """Layers of fusion, global and neighbour encoder."""
    heads: tuple[int, ...] = (4, 16, 16)
    """Attention heads of the three; each `dim` / heads long."""
    mlp_ratios: tuple[float, ...] = (4.0, 4.0, 1.0)
    """Inner length of their feed-forward parts over `dim`."""
    dropouts: tuple[float, ...] = (0.2, 0.1, 0.3)
    """Their dropout."""
    dropout_in: float = 0.0
    """Share of every input feature dropped in training; published: none."""


@dataclass(frozen=True)
class TriplexInputs:
    """What the network sees of some tiles and of the slides they lie on."""

    parts: Float[Tensor, "n n_parts in_dim"]
    """Features of each tile's parts."""
    around: Float[Tensor, "n n_places in_dim"]
    """Features of the window around each tile, row by row, itself in the middle."""
    slide_of: Int[Tensor, " n"]
    """Row of each tile among the tiles of `slides`, one slide after another."""
    slides: tuple[tuple[Float[Tensor, "_ in_dim"], Int[Tensor, "_ 2"]], ...]
    """Of each slide the features of all tiles and their array (column, row)."""


@dataclass(frozen=True)
class TriplexOutput:
    """Predictions (n, n_genes) of the fused token and of each branch."""

    fused: Float[Tensor, "n n_genes"]
    """What is predicted."""
    branches: tuple[Float[Tensor, "n n_genes"], ...]
    """Of target, neighbour and global encoder; for the loss alone."""


def triplex_loss(output: TriplexOutput, truth: Float[Tensor, "n n_genes"], *, alpha: float = 0.3) -> Float[Tensor, ""]:
    """MSE(ŷ, y) + Σ_b (1 - α) MSE(ŷ_b, y) + α MSE(ŷ, ŷ_b); gradients flow through both sides of the last term."""
    loss = functional.mse_loss(output.fused, truth)
    for branch in output.branches:
        loss = loss + (1 - alpha) * functional.mse_loss(branch, truth)
        loss = loss + alpha * functional.mse_loss(output.fused, branch)
    return loss


class RelativeBias(nn.Module):
    """One learnt number per head and per offset (columns, rows) between two places of a square window.

    Parameters
    ----------
    n_side
        Places along a side.
    n_heads
        Attention heads.
    """

    index: Tensor

    def __init__(self, n_side: int, n_heads: int) -> None:
        super().__init__()
        n_offsets = 2 * n_side - 1
        self.table = nn.Parameter(torch.zeros(n_offsets**2, n_heads))
        place = torch.cartesian_prod(torch.arange(n_side), torch.arange(n_side)).reshape(-1, 2)
        offset = place[:, None] - place[None] + n_side - 1
        self.register_buffer("index", offset[..., 0] * n_offsets + offset[..., 1], persistent=False)

    def forward(self) -> Float[Tensor, "1 n_heads n_places n_places"]:
        """Return what is added to the logits of attention."""
        return self.table[self.index].permute(2, 0, 1)[None]


class PositionGenerator(nn.Module):
    """APEG: tokens laid on the array, a depthwise 3 × 3 convolution added, and taken up again.

    Empty cells are zero, as beyond the array's edge. So neither the array's size nor where it starts matters; tokens
    of one cell are averaged on the way in.

    Parameters
    ----------
    dim
        Length of a token.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)

    def forward(self, tokens: Float[Tensor, "n dim"], position: Int[Tensor, "n 2"]) -> Float[Tensor, "n dim"]:
        """Add to every token of one slide what lies on the eight cells around it (and its own)."""
        column, row = (position - position.amin(dim=0)).T
        n_columns, n_rows = (int(axis.max()) + 1 for axis in (column, row))
        cell = row * n_columns + column
        grid = tokens.new_zeros(n_rows * n_columns, tokens.shape[1]).index_add(0, cell, tokens)
        n_uses = torch.bincount(cell, minlength=len(grid)).clamp(min=1)
        grid = (grid / n_uses[:, None]).T.reshape(1, -1, n_rows, n_columns)
        return tokens + self.mix(grid)[0, :, row, column].T


class CrossBlock(nn.Module):
    """Pre-norm block in which one query attends to a context; then feed-forward.

    Parameters
    ----------
    dim, n_heads, dropout
        See `nn.MultiheadAttention`; no dropout of attention weights.
    hidden
        Inner length of the feed-forward part.
    """

    def __init__(self, dim: int, *, n_heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm_query, self.norm_context, self.norm_feed = (nn.LayerNorm(dim) for _ in range(3))
        self.attention = nn.MultiheadAttention(dim, n_heads, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.feed = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim), nn.Dropout(dropout)
        )

    def forward(
        self, query: Float[Tensor, "n 1 dim"], context: Float[Tensor, "n n_tokens dim"]
    ) -> Float[Tensor, "n 1 dim"]:
        """Draw from the context what the query asks for."""
        context = self.norm_context(context)
        drawn, _ = self.attention(self.norm_query(query), context, context, need_weights=False)
        query = query + self.dropout(drawn)
        return query + self.feed(self.norm_feed(query))


class Triplex(nn.Module):
    """Target, neighbour and global encoder, and the fusion that lets the global token ask the two others.

    Parameters
    ----------
    in_dim
        Features of a part or a tile.
    n_genes
        Length of the output.
    sizes
        How large it is.
    """

    def __init__(self, in_dim: int, n_genes: int, *, sizes: TriplexSizes) -> None:
        super().__init__()
        dim, (n_fusion, n_global, n_neighbour) = sizes.dim, sizes.depths
        self.dropout = nn.Dropout(sizes.dropout_in)
        self.to_target, self.to_neighbour, self.to_global = (nn.Linear(in_dim, dim) for _ in range(3))
        hidden = [int(ratio * dim) for ratio in sizes.mlp_ratios]
        self.fusion = nn.ModuleList(
            CrossBlock(dim, n_heads=sizes.heads[0], hidden=hidden[0], dropout=sizes.dropouts[0])
            for _ in range(n_fusion)
        )
        self.global_layers, self.neighbour_layers = (
            nn.ModuleList(
                PreNormBlock(dim, n_heads=heads, head_dim=dim // heads, hidden=inner, dropout=dropout)
                for _ in range(depth)
            )
            for depth, heads, inner, dropout in zip(
                (n_global, n_neighbour), sizes.heads[1:], hidden[1:], sizes.dropouts[1:], strict=True
            )
        )
        self.bias = RelativeBias(sizes.n_side, sizes.heads[2])
        self.position = PositionGenerator(dim)
        self.norm_global, self.norm_neighbour, self.norm_fused = (nn.LayerNorm(dim) for _ in range(3))
        self.head, self.target_head, self.neighbour_head, self.global_head = (nn.Linear(dim, n_genes) for _ in range(4))

    @classmethod
    def build(cls, in_dim: int, n_genes: int, *, sizes: TriplexSizes, seed: int) -> Self:
        """Make one with weights drawn from `seed` alone."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return cls(in_dim, n_genes, sizes=sizes)

    def encode_slide(
        self, features: Float[Tensor, "n_tiles in_dim"], position: Int[Tensor, "n_tiles 2"]
    ) -> Float[Tensor, "n_tiles dim"]:
        """Global encoder: the tokens of all tiles of one slide."""
        tokens = self.to_global(self.dropout(features))
        for number, layer in enumerate(self.global_layers):
            tokens = layer(tokens[None])[0]
            if number == 0:
                tokens = self.position(tokens, position)
        return self.norm_global(tokens)

    def fuse(
        self,
        parts: Float[Tensor, "n n_parts in_dim"],
        around: Float[Tensor, "n n_places in_dim"],
        slide: Float[Tensor, "n dim"],
    ) -> TriplexOutput:
        """Predict tiles from their parts, their window and their global tokens."""
        target, neighbour = self.to_target(self.dropout(parts)), self.to_neighbour(self.dropout(around))
        bias = self.bias()
        for layer in self.neighbour_layers:
            neighbour = layer(neighbour, bias)
        neighbour = self.norm_neighbour(neighbour)
        drawn = [slide[:, None], slide[:, None]]
        for layer in self.fusion:  # one encoder for both contexts
            drawn = [layer(query, context) for query, context in zip(drawn, (target, neighbour), strict=True)]
        fused = self.norm_fused((drawn[0] + drawn[1])[:, 0])
        branches = (
            self.target_head(target.mean(dim=1)),
            self.neighbour_head(neighbour.mean(dim=1)),
            self.global_head(slide),
        )
        return TriplexOutput(fused=self.head(fused), branches=branches)

    def forward(self, inputs: TriplexInputs) -> TriplexOutput:
        """Predict tiles; every slide they lie on is encoded whole."""
        slides = torch.cat([self.encode_slide(*slide) for slide in inputs.slides])
        return self.fuse(inputs.parts, inputs.around, slides[inputs.slide_of])
