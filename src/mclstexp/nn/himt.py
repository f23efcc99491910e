"""A hierarchical Transformer after Li et al. 2022 (arXiv 2211.16632): MCAT's co-attention, from coarse to fine.

A reconstruction: of the paper its abstract is what could be read, and no code is public.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.nn.gated_attention import Chunks
from mclstexp.nn.mcat import Asked, Coattention, Head, TokenReader
from mclstexp.nn.pathway_networks import PathwayNetworks


class Himt(nn.Module):
    """Groups of genes look at a slide from far, and what they saw says where they look from nearer.

    Parameters
    ----------
    in_dim
        Length of a patch's features.
    sizes
        How many genes each group has.
    n_levels
        Magnifications, the coarsest first.
    width, n_heads, hidden, n_out
        See `Mcat`.
    """

    def __init__(
        self,
        in_dim: int,
        sizes: Sequence[int],
        *,
        n_levels: int = 3,
        width: int = 256,
        n_heads: int = 8,
        hidden: int = 512,
        n_out: int = 4,
    ) -> None:
        super().__init__()
        self.project = nn.ModuleList(
            nn.Sequential(nn.Linear(in_dim, width), nn.ReLU(), nn.Dropout(0.25)) for _ in range(n_levels)
        )
        self.groups = PathwayNetworks(sizes, width)
        self.coattention = nn.ModuleList(Coattention(width) for _ in range(n_levels))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(n_levels - 1))
        self.level_codes = nn.Parameter(0.02 * torch.randn(n_levels, 1, width))
        self.read_slide, self.read_groups = (TokenReader(width, n_heads=n_heads, hidden=hidden) for _ in range(2))
        self.head = Head(width, n_out)

    def forward(self, bags: Iterable[Sequence[Chunks]], genes: Float[Tensor, "n n_values"]) -> Float[Tensor, "n n_out"]:
        """Return what is said of each patient, of its patches at each level and its genes."""
        groups = self.groups(genes)
        seen = torch.stack([self.look(own, levels) for own, levels in zip(groups, bags, strict=True)])
        return self._said(seen, groups)

    def asked(self, levels: Sequence[Chunks], genes: Float[Tensor, "1 n_values"]) -> Asked:
        """Return how a patient's finest patches come into what is said of it; those above them are gone through."""
        groups = self.groups(genes)
        above, query = self._from_far(groups[0], levels[:-1])

        def say(seen: Float[Tensor, "n_groups width"]) -> Float[Tensor, "1 n_out"]:
            return self._said(torch.stack([*above, seen])[None], groups)

        coattention = self.coattention[-1]
        assert isinstance(coattention, Coattention)
        return Asked(self.project[-1], coattention, query, say)

    def look(
        self, groups: Float[Tensor, "n_groups width"], levels: Sequence[Chunks]
    ) -> Float[Tensor, "n_levels n_groups width"]:
        """Return what a patient's groups see at each level."""
        above, query = self._from_far(groups, levels[:-1])
        return torch.stack([*above, self.coattention[-1](query, map(self.project[-1], levels[-1]))])

    def _said(
        self, seen: Float[Tensor, "n n_levels n_groups width"], groups: Float[Tensor, "n n_groups width"]
    ) -> Float[Tensor, "n n_out"]:
        tokens = (seen + self.level_codes).flatten(1, 2)
        return self.head(torch.cat([self.read_slide(tokens).vector, self.read_groups(groups).vector], dim=1))

    def _from_far(self, groups: Tensor, levels: Sequence[Chunks]) -> tuple[list[Tensor], Tensor]:
        """Return what groups see at the levels above the finest, and what they ask of it."""
        query, found = groups, []
        for level, chunks in enumerate(levels):
            found.append(self.coattention[level](query, map(self.project[level], chunks)))
            query = self.norms[level](query + found[-1])
        return found, query
