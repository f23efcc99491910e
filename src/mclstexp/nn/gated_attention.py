"""Gated attention over a bag (Ilse, Tomczak and Welling 2018), and the network that is nothing more: ABMIL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.nn.foreign_weights import fill, renamed
from mclstexp.nn.softmax_sum import Scored, softmax_sum

Chunks = Iterable[Float[Tensor, "_ in_dim"]]
"""Patches of one patient, some at a time."""


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

    def forward(self, bags: Iterable[Chunks]) -> Float[Tensor, "n n_out"]:
        """Return what is said of each bag, however long it is."""
        return self.head(torch.stack([softmax_sum(map(self._scored, chunks))[0] for chunks in bags]))

    def weigh(self, patches: Float[Tensor, "n_patches in_dim"]) -> tuple[Tensor, Tensor]:
        """Return raw scores of patches, and what is said of a bag that is one of them alone."""
        vectors = self.project(patches)
        return self.attention(vectors), self.head(vectors)

    def _scored(self, patches: Float[Tensor, "n in_dim"]) -> Scored:
        vectors = self.project(patches)
        return self.attention(vectors)[None], vectors


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
