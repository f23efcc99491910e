"""What of a tested section is scored: spots that hold counts, and genes that it can say something of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from anndata import AnnData
from jaxtyping import Bool
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.measured import has_counts
from mclstexp.core.section import Section

_RARE: Final = 0.01
"""Share of a section's spots in which a gene of a list of detected genes may at least be expected to be missing: the
rarest gene of such a list is rarer than that."""
_RARE_SPOTS: Final = 3
_NAMED: Final = 3


@dataclass(frozen=True, eq=False)
class Scored:
    """A tested section beside what of it is scored."""

    section: Section
    """All its spots, with the training genes; a gene that its file does not list has zeros."""
    spots: Bool[np.ndarray, " n_spots"]
    """Those that hold counts."""
    genes: Bool[np.ndarray, " n_genes"]
    """Those of the panel that were measured on it."""
    notes: tuple[str, ...] = ()
    """What is worth saying of it."""


def scored(
    section: Section,
    genes: Sequence[str],
    *,
    space: ExpressionSpace,
    min_counts: int,
    usual: Collection[str] = (),
) -> Scored:
    """Say what of a tested section is scored.

    The panel was chosen without this section. Genes of it that the section's file does not list count as zero if the
    file lists what was detected, as the tables of legacy Spatial Transcriptomics do; otherwise nobody knows
    them, and they are not scored here.

    Parameters
    ----------
    section
        As it was read.
    genes
        Those that the training sections share.
    space
        Panel and scale, learnt from the training sections.
    min_counts
        See `has_counts`.
    usual
        Genes that the training sections have in most spots: it is said if the file lacks one, which hardly went
        undetected.

    Raises
    ------
    InputError
        If the section has none of the panel's genes.
    """
    absent = ~np.isin(space.genes, section.genes)
    if absent.all():
        msg = (
            f"genes of the panel ({', '.join(space.genes[:_NAMED])}, …) expected in section {section.id}, found "
            f"none among {', '.join(section.genes[:_NAMED])}, …: are the names of one kind?"
        )
        raise InputError(msg)
    spots = has_counts(section, min_counts=min_counts, space=space)
    empty = () if spots.any() else ("no spot has counts of the panel: it is not scored",)
    if not absent.any():
        return Scored(_with_genes(section, genes), spots, ~absent, empty)
    zero = lists_detected(section)
    named = [gene for gene, gone in zip(space.genes, absent, strict=True) if gone]
    listed = ", ".join(named[:_NAMED]) + (", …" if len(named) > _NAMED else "")
    what = "they count as zero, for it lists what was detected" if zero else "they are not scored there"
    note = f"{len(named)} of the {len(absent)} genes of the panel ({listed}) are not in its file: {what}"
    note += _odd(named, usual)
    return Scored(_with_genes(section, genes), spots, np.ones_like(absent) if zero else ~absent, (note, *empty))


def usual_genes(train: Sequence[Section], space: ExpressionSpace) -> frozenset[str]:
    """Return the genes of the panel that have counts in more than half of the training spots."""
    n_spots = sum(len(section) for section in train)
    found = sum(np.bincount(space.panel(section.counts).indices, minlength=len(space.genes)) for section in train)
    return frozenset(gene for gene, n in zip(space.genes, np.asarray(found), strict=True) if n > n_spots / 2)


def _odd(named: Sequence[str], usual: Collection[str]) -> str:
    odd = [gene for gene in named if gene in usual]
    if not odd:
        return ""
    listed = ", ".join(odd[:_NAMED]) + (", …" if len(odd) > _NAMED else "")
    return f"; {len(odd)} of them ({listed}) have counts in most training spots: do they bear another name there?"


def lists_detected(section: Section) -> bool:
    """Whether a section's genes are those that were detected, so that any other had no counts.

    Told by the genes themselves, for formats do not say. A list with genes that have no counts, such as 10x's, is
    complete: what it lacks was not measured. A list whose rarest gene is common is a selection. Between the two lies a
    list of what was found at least once or a few times.
    """
    n_spots = np.bincount(section.counts.X.indices, minlength=section.counts.n_vars)
    return bool(0 < n_spots.min() <= max(_RARE_SPOTS, _RARE * len(section)))


def _with_genes(section: Section, genes: Sequence[str]) -> Section:
    """Return the section with just these genes, zeros for those it lacks."""
    if list(section.genes) == list(genes):
        return section
    old = section.counts
    column = old.var_names.get_indexer(list(genes))
    there = np.flatnonzero(column >= 0)
    choose = sparse.csr_matrix((np.ones(len(there), np.int32), (column[there], there)), shape=(old.n_vars, len(column)))
    var = old.var.reindex(list(genes))
    counts = AnnData(X=old.X @ choose, obs=old.obs.copy(), var=var, obsm=dict(old.obsm), uns=dict(old.uns))
    return replace(section, counts=counts)
