"""`ExpressionSpace`: which genes, on which scale. Numbers compare only within equal spaces."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from anndata import AnnData
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.panel import select_hvg
from mclstexp.core.section import Section, check_sections

GeneRule = Callable[[Sequence[Section]], Sequence[str]]
"""Chooses a gene panel from training sections."""


@dataclass(frozen=True)
class ExpressionSpace:
    """A gene panel and the way counts become expression: log(1 + target_sum · counts / total).

    Raises
    ------
    InputError
        If the panel is empty or names a gene twice, or a number is not positive.
    """

    genes: tuple[str, ...]
    """The panel, in channel order."""
    target_sum: float = 1e4
    """Every spot's (or gene's) counts are scaled to this total before the logarithm."""
    log_base: float = 10.0
    """Base of the logarithm of 1 + scaled counts."""
    axis: Literal["spot", "gene"] = "spot"
    """What is scaled to the target: each spot over the panel, or (as published) each gene over the section."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "genes", tuple(map(str, self.genes)))
        if not self.genes:
            msg = "a gene panel of at least one gene expected, found none"
            raise InputError(msg)
        if len(set(self.genes)) != len(self.genes):
            twice = next(g for g in self.genes if self.genes.count(g) > 1)
            msg = f"a gene panel must name each gene once, found {twice!r} twice"
            raise InputError(msg)
        if not (self.target_sum > 0 and self.log_base > 0 and self.log_base != 1):
            msg = f"target_sum and log_base must be positive, found {self.target_sum} and {self.log_base}"
            raise InputError(msg)
        if self.axis not in ("spot", "gene"):
            msg = f"axis must be 'spot' or 'gene', found {self.axis!r}"
            raise InputError(msg)

    @classmethod
    def fit(
        cls,
        sections: Sequence[Section],
        *,
        genes: Sequence[str] | GeneRule = select_hvg,
        target_sum: float = 1e4,
        log_base: float = 10.0,
        axis: Literal["spot", "gene"] = "spot",
    ) -> Self:
        """Learn a space from training sections.

        Parameters
        ----------
        sections
            Training sections only: whatever is chosen here is chosen without the held-out ones.
        genes
            A list of names, or a rule that chooses one from the sections.
        target_sum, log_base, axis
            See the fields.

        Raises
        ------
        InputError
            If a named gene is missing from a section.
        """
        sections = check_sections(sections)
        panel = tuple(genes(sections)) if callable(genes) else tuple(genes)
        space = cls(genes=panel, target_sum=target_sum, log_base=log_base, axis=axis)
        for section in sections:
            _columns(space.genes, section.counts)
        return space

    def __call__(self, counts: AnnData) -> Float[np.ndarray, "n_spots n_genes"]:
        """Turn raw counts into expression.

        Parameters
        ----------
        counts
            Raw counts of one section (a `Section.counts`). With ``axis="gene"`` its spots set the scale.

        Returns
        -------
        (n_spots, n_genes) float32 in panel order; a spot (gene) without counts is all zeros.

        Raises
        ------
        InputError
            If a gene of the panel was not measured.
        """
        panel = self.panel(counts)
        totals = np.asarray(panel.sum(axis=1 if self.axis == "spot" else 0), np.float64).ravel()
        of_value = np.repeat(totals, np.diff(panel.indptr)) if self.axis == "spot" else totals[panel.indices]
        share = np.divide(panel.data, of_value, out=np.zeros(panel.nnz), where=of_value > 0)
        # nothing counted is nothing on this scale, so that only what was counted is computed
        panel.data = (np.log1p(self.target_sum * share) / math.log(self.log_base)).astype(np.float32)
        return panel.toarray()

    def panel(self, counts: AnnData) -> sparse.csr_matrix:
        """Return the panel's raw counts as a sparse float64 matrix of its own (n_spots, n_genes), indices sorted.

        Raises
        ------
        InputError
            If a gene of the panel was not measured.
        """
        panel = sparse.csr_matrix(counts.X[:, _columns(self.genes, counts)], dtype=np.float64, copy=True)
        panel.sort_indices()
        return panel

    def counts(self, counts: AnnData) -> Float[np.ndarray, "n_spots n_genes"]:
        """Return the panel's raw counts as a dense float64 array (n_spots, n_genes)."""
        return self.panel(counts).toarray()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return {**asdict(self), "genes": list(self.genes)}


def _columns(genes: Sequence[str], counts: AnnData) -> NDArray[np.intp]:
    index = counts.var_names.get_indexer(list(genes))
    missing = [gene for gene, i in zip(genes, index, strict=True) if i < 0]
    if missing:
        msg = (
            f"every gene of the panel must be measured, found {len(missing)} of {len(genes)} missing "
            f"({', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}): choose a panel common to all sections"
        )
        raise InputError(msg)
    return index
