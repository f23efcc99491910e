"""MCAT (Chen et al. 2021): groups of genes look at the patches of a slide, and what they saw is weighed with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.nn.foreign_weights import fill, renamed
from mclstexp.nn.gated_attention import Chunks, GatedAttention, gated_patterns
from mclstexp.nn.pathway_networks import PathwayNetworks
from mclstexp.nn.softmax_sum import softmax_sum


class Coattention(nn.Module):
    """Scaled dot-product attention of one head: each group's query over all patches, with biases and a way out."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.to_query, self.to_key, self.to_value = (nn.Linear(dim, dim) for _ in range(3))
        self.to_out = nn.Linear(dim, dim)

    def forward(
        self, groups: Float[Tensor, "n_groups dim"], chunks: Iterable[Float[Tensor, "_ dim"]]
    ) -> Float[Tensor, "n_groups dim"]:
        """Return what each group saw in a bag."""
        return self.told(self.seen(groups, chunks))

    def seen(
        self, groups: Float[Tensor, "n_groups dim"], chunks: Iterable[Float[Tensor, "_ dim"]]
    ) -> Float[Tensor, "n_groups dim"]:
        """Return the mean patch of a bag as each group weighs it."""
        query = self.to_query(groups)
        return softmax_sum((self._scores(query, patches), patches) for patches in chunks)

    def told(self, seen: Float[Tensor, "n_groups dim"]) -> Float[Tensor, "n_groups dim"]:
        """Return what is made of these means; values of patches are never made, for there are few means."""
        return self.to_out(self.to_value(seen))

    def scores(
        self, groups: Float[Tensor, "n_groups dim"], patches: Float[Tensor, "n dim"]
    ) -> Float[Tensor, "n_groups n"]:
        """Return raw scores of patches for each group."""
        return self._scores(self.to_query(groups), patches)

    def _scores(self, query: Tensor, patches: Tensor) -> Tensor:
        # nor are their keys: queries are turned instead
        scores = (query @ self.to_key.weight) @ patches.T + (query @ self.to_key.bias)[:, None]
        return scores * query.shape[-1] ** -0.5


class TokenReader(nn.Module):
    """Two post-norm Transformer layers over a few tokens, gated attention over them, one more layer.

    Parameters
    ----------
    dim, n_heads, dropout
        Of the Transformer; its feed-forward part is `hidden` wide.
    hidden
        512 in MCAT.
    """

    def __init__(self, dim: int, *, n_heads: int = 8, hidden: int = 512, dropout: float = 0.25) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(dim, n_heads, hidden, dropout, activation="relu", batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)
        self.attention = GatedAttention(dim, dim, dropout=dropout)
        self.out = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(dropout))

    def forward(self, tokens: Float[Tensor, "n n_tokens dim"]) -> Read:
        """Return each patient's tokens in one vector, and how it came about."""
        seen = self.transformer(tokens)
        scores = self.attention(seen)
        pooled = (scores.softmax(dim=1)[:, None] @ seen)[:, 0]
        return Read(self.out(pooled), seen, scores)


class Read(NamedTuple):
    """What is made of tokens."""

    vector: Float[Tensor, "n dim"]
    tokens: Float[Tensor, "n n_tokens dim"]
    scores: Float[Tensor, "n n_tokens"]
    """Raw, of the pooling."""


class Asked(NamedTuple):
    """How one patient's patches, of the finest level, come into what is said of it."""

    project: nn.Module
    """What is done to a patch first."""
    coattention: Coattention
    """By which groups look at them."""
    groups: Float[Tensor, "n_groups width"]
    """Who looks."""
    say: Callable[[Float[Tensor, "n_groups width"]], Float[Tensor, "1 n_out"]]
    """What is said, of what these saw."""


class Head(nn.Sequential):
    """Both vectors beside each other, two layers, the numbers wanted."""

    def __init__(self, dim: int, n_out: int) -> None:
        super().__init__(nn.Linear(2 * dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, n_out))


class Mcat(nn.Module):
    """Published MCAT.

    Parameters
    ----------
    in_dim
        Length of a patch's features.
    sizes
        How many genes each group has.
    width, n_heads, hidden, dropout
        See `TokenReader`.
    n_out
        Numbers returned.
    """

    def __init__(
        self,
        in_dim: int,
        sizes: Sequence[int],
        *,
        width: int = 256,
        n_heads: int = 8,
        hidden: int = 512,
        n_out: int = 4,
    ) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(in_dim, width), nn.ReLU(), nn.Dropout(0.25))
        self.groups = PathwayNetworks(sizes, width)
        self.coattention = Coattention(width)
        self.read_slide, self.read_groups = (TokenReader(width, n_heads=n_heads, hidden=hidden) for _ in range(2))
        self.head = Head(width, n_out)

    def forward(self, bags: Iterable[Chunks], genes: Float[Tensor, "n n_values"]) -> Float[Tensor, "n n_out"]:
        """Return what is said of each patient, of its patches and its genes (as `PathwayNetworks` takes them)."""
        groups = self.groups(genes)
        seen = torch.stack([self.look(own, chunks) for own, chunks in zip(groups, bags, strict=True)])
        return self._said(seen, groups)

    def asked(self, chunks: Chunks, genes: Float[Tensor, "1 n_values"]) -> Asked:  # noqa: ARG002  there is one level
        """Return how a patient's patches come into what is said of it."""
        groups = self.groups(genes)
        return Asked(self.project, self.coattention, groups[0], lambda seen: self._said(seen[None], groups))

    def _said(
        self, seen: Float[Tensor, "n n_groups width"], groups: Float[Tensor, "n n_groups width"]
    ) -> Float[Tensor, "n n_out"]:
        return self.head(torch.cat([self.read_slide(seen).vector, self.read_groups(groups).vector], dim=1))

    def look(self, groups: Float[Tensor, "n_groups width"], chunks: Chunks) -> Float[Tensor, "n_groups width"]:
        """Return what a patient's groups see in its patches."""
        return self.coattention(groups, map(self.project, chunks))


def load_published(network: Mcat, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Fill the network with weights under the release's names.

    Raises
    ------
    InputError
        If a tensor is missing, unknown or of another shape.
    """
    split = dict(weights)
    for kind in ("weight", "bias"):
        if (joined := split.pop(f"coattn.in_proj_{kind}", None)) is not None:
            parts = joined.chunk(3)
            split |= {f"coattn.to_{name}.{kind}": p for name, p in zip(("query", "key", "value"), parts, strict=True)}
    patterns = [
        (r"^wsi_net\.", "project."),
        (r"^sig_networks", "groups.networks"),
        (r"^coattn\.out_proj", "coattention.to_out"),
        (r"^coattn\.", "coattention."),
        (r"^mm\.", "head."),
        (r"^classifier", "head.4"),
    ]
    for theirs, ours in (("path", "slide"), ("omic", "groups")):
        patterns += [
            (rf"^{theirs}_transformer", f"read_{ours}.transformer"),
            *gated_patterns(f"{theirs}_attention_head", f"read_{ours}.attention"),
            (rf"^{theirs}_rho\.0", f"read_{ours}.out.0"),
        ]
    fill(network, renamed(split, patterns), what="the published MCAT", source=source)
