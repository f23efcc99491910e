"""Gated attention over a bag (Ilse, Tomczak and Welling 2018), and the network that is nothing more: ABMIL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mclstexp.nn.foreign_weights import fill, renamed


class GatedAttention(nn.Module):
    """One score for each vector: w · (tanh(V z) ⊙ σ(U z)).

    Parameters
    ----------
    dim, hidden
        Lengths of z and of V z.
    dropout
        On both factors.
    """

    def __init__(self, dim: int, hidden: int, *, dropout: float = 0.25) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(dim, hidden), nn.Linear(dim, hidden)
        self.score = nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Float[Tensor, "*n dim"]) -> Float[Tensor, "*n"]:
        """Return raw scores, before any softmax."""
        values, gates = self.value(vectors).tanh(), self.gate(vectors).sigmoid()
        return self.score(self.dropout(values) * self.dropout(gates))[..., 0]


class Pooled(NamedTuple):
    """What is left of a bag while it is read: the softmax over it need not be known in advance."""

    top: Float[Tensor, ""]
    """Largest score so far."""
    weight: Float[Tensor, ""]
    """Sum of exp(score - top)."""
    total: Float[Tensor, " dim"]
    """The same sum over weighted vectors."""


class Abmil(nn.Module):
    """A layer on each patch, gated attention, a head.

    Parameters
    ----------
    in_dim
        Length of a patch's features.
    width, hidden
        Of a patch after its layer, and of the attention.
    n_out
        Numbers returned.
    dropout
        After the layer and in the attention.
    """

    def __init__(
        self, in_dim: int, *, width: int = 512, hidden: int = 384, n_out: int = 1, dropout: float = 0.25
    ) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(in_dim, width), nn.ReLU(), nn.Dropout(dropout))
        self.attention = GatedAttention(width, hidden, dropout=dropout)
        self.head = nn.Linear(width, n_out)

    def forward(
        self, patches: Float[Tensor, "*n n_patches in_dim"], present: Bool[Tensor, "*n n_patches"] | None = None
    ) -> Float[Tensor, "*n n_out"]:
        """Return what is said of each bag; `present` is False at padding."""
        vectors = self.project(patches)
        weights = self.weights(vectors, present)
        return self.head((weights[..., None, :] @ vectors)[..., 0, :])

    def weights(
        self, vectors: Float[Tensor, "*n n_patches width"], present: Bool[Tensor, "*n n_patches"] | None = None
    ) -> Float[Tensor, "*n n_patches"]:
        """Return each patch's share of its bag, of what `project` made of it."""
        scores = self.attention(vectors)
        return (scores if present is None else scores.masked_fill(~present, -torch.inf)).softmax(dim=-1)

    def stream(self, chunks: Iterable[Float[Tensor, "_ in_dim"]]) -> Float[Tensor, " n_out"]:
        """Return what is said of one bag that is read in chunks, however long it is."""
        pooled: Pooled | None = None
        for patches in chunks:
            vectors = self.project(patches)
            pooled = _pool(pooled, vectors, self.attention(vectors))
        assert pooled is not None, "an empty bag"
        return self.head(pooled.total / pooled.weight)


def load_published(network: Abmil, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Fill the network with weights under the names of MMP's release.

    Raises
    ------
    InputError
        If a tensor is missing, unknown or of another shape.
    """
    patterns = [(r"^mlp\.0\.", "project.0."), *gated_patterns("attention_net", "attention"), (r"^classifier", "head")]
    fill(network, renamed(weights, patterns), what="the published ABMIL", source=source)


def gated_patterns(theirs: str, ours: str) -> list[tuple[str, str]]:
    """Return the patterns for `foreign_weights.renamed` of a gated attention under its usual names."""
    names = {r"attention_a\.0": "value", r"attention_b\.0": "gate", "attention_c": "score"}
    return [(rf"^{theirs}\.{name}\.", f"{ours}.{own}.") for name, own in names.items()]


def _pool(before: Pooled | None, vectors: Tensor, scores: Tensor) -> Pooled:
    top = scores.max() if before is None else torch.maximum(before.top, scores.max())
    shares = (scores - top).exp()
    weight, total = shares.sum(), shares @ vectors
    if before is not None:
        fade = (before.top - top).exp()
        weight, total = weight + fade * before.weight, total + fade * before.total
    return Pooled(top, weight, total)
