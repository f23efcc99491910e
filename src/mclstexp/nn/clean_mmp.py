"""MMP's idea in a network of our own: tokens of prototypes and of pathways, one attention, and a way round it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mclstexp.nn.pathway_networks import PathwayNetworks
from mclstexp.nn.transformer import PreNormBlock

_CODE_SPREAD = 0.5
"""Of the codes at the start: with small ones all tokens look alike, and it takes long until a pathway asks for one
prototype more than for another."""
_N_HEADS = 4
_READ = 8
"""Numbers that each token is read off by."""


class CleanMmp(nn.Module):
    """Tokens with a code added, a pre-norm Transformer block over all of them at once, and each token read by itself.

    Parameters
    ----------
    sizes
        How many genes each pathway has.
    n_prototypes, token_dim
        How many, and numbers of each.
    width, dropout
        Of the block; the width is a multiple of 4, the number of heads.
    n_out
        Numbers returned.
    bias
        Whether a constant is learnt for each; Cox's likelihood has no use for it.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        n_prototypes: int,
        token_dim: int,
        *,
        width: int = 32,
        n_out: int = 1,
        bias: bool = False,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.pathways = PathwayNetworks(sizes, width, dropout=dropout)
        self.project = nn.Linear(token_dim, width)
        n_tokens = len(sizes) + n_prototypes
        self.codes = nn.Parameter(_CODE_SPREAD * torch.randn(n_tokens, width))
        self.absent = nn.Parameter(_CODE_SPREAD * torch.randn(2, width))
        self.block = PreNormBlock(width, n_heads=_N_HEADS, head_dim=width // _N_HEADS, dropout=dropout)
        self.norm = nn.LayerNorm(width)
        self.read = nn.Parameter(torch.empty(n_tokens, width, _READ).uniform_(-1, 1) / math.sqrt(width))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(n_tokens * _READ, n_out, bias=bias)

    def forward(
        self,
        tokens: Float[Tensor, "n n_prototypes token_dim"],
        genes: Float[Tensor, "n n_values"],
        present: Bool[Tensor, "n 2"] | None = None,
    ) -> Float[Tensor, "n n_out"]:
        """Return what is said of each patient.

        Parameters
        ----------
        tokens, genes
            Of slides, and as `PathwayNetworks` takes them.
        present
            Whether a patient has expression, and a slide; what stands in its place where it has not is learnt.
        """
        seen = self.norm(self.block(self._joined(tokens, genes, present)))
        read = torch.einsum("ntd,tdr->ntr", seen, self.read)
        return self.head(self.dropout(read.flatten(1)))

    def looked_at(
        self,
        tokens: Float[Tensor, "n n_prototypes token_dim"],
        genes: Float[Tensor, "n n_values"],
        present: Bool[Tensor, "n 2"] | None = None,
    ) -> Float[Tensor, "n n_prototypes"]:
        """Return how much all tokens look at each prototype's, mean over tokens and heads; 1: as at the mean token."""
        weights = self.block.weights(self._joined(tokens, genes, present))
        return weights.mean(dim=(1, 2))[:, -tokens.shape[1] :] * weights.shape[-1]

    def _joined(
        self,
        tokens: Float[Tensor, "n n_prototypes token_dim"],
        genes: Float[Tensor, "n n_values"],
        present: Bool[Tensor, "n 2"] | None,
    ) -> Float[Tensor, "n n_tokens width"]:
        pathways, slide = self.pathways(genes), self.project(tokens)
        if present is not None:
            pathways = torch.where(present[:, 0, None, None], pathways, self.absent[0])
            slide = torch.where(present[:, 1, None, None], slide, self.absent[1])
        return torch.cat([pathways, slide], dim=1) + self.codes
