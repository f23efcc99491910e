"""Which genes are looked at: panels and gene sets, chosen from training sections alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.panel import by_variability, common_genes, select_hvg
from mclstexp.core.section import Section, check_sections
from mclstexp.data.autocorrelation import morans_i, neighbour_weights

__all__ = ["common_genes", "select_heg", "select_hvg", "select_hvg_set", "select_svg"]


def select_heg(sections: Sequence[Section], *, space: ExpressionSpace, n_genes: int = 50) -> list[str]:
    """Choose the genes of highest mean expression over the training spots.

    Published tables choose these 50 by the *test* section's truth; here the choice is made before the test.

    Parameters
    ----------
    sections
        Training sections.
    space
        Panel to choose from and, where it is a log scale, scale to average on; residuals, whose mean says nothing of
        how high a gene is, are averaged on the usual log scale.
    n_genes
        How many, or the whole panel where it is smaller.

    Returns
    -------
    Names, highest first; panel order among equals.

    Raises
    ------
    InputError
        If a gene of the panel was not measured.
    """
    sections = check_sections(sections)
    total = np.zeros(len(space.genes))
    for section in sections:
        total += space.on_log()(section.counts).sum(axis=0, dtype=np.float64)
    return [space.genes[i] for i in np.argsort(-total, kind="stable")[:n_genes]]


def select_hvg_set(sections: Sequence[Section], *, space: ExpressionSpace, n_genes: int = 50) -> list[str]:
    """Choose the genes of the panel that vary most over the training spots, ranked as `select_hvg` ranks a panel.

    Parameters
    ----------
    sections
        Training sections.
    space
        Panel to choose from; its scale does not matter, for counts are looked at.
    n_genes
        How many, or the whole panel where it is smaller.

    Returns
    -------
    Names, most variable first.

    Raises
    ------
    InputError
        If a gene of the panel was not measured.
    """
    counts = [space.panel(section.counts) for section in check_sections(sections)]
    return [space.genes[i] for i in by_variability(counts, names=space.genes)[:n_genes]]


def select_svg(sections: Sequence[Section], *, space: ExpressionSpace, n_genes: int = 50) -> list[str]:
    """Choose the genes of the panel with the most spatial pattern: of highest mean Moran's I over training sections.

    Parameters
    ----------
    sections
        Training sections. Each weighs the same; a gene that is constant on one has no pattern there (I = 0).
    space
        Panel to choose from and scale on which Moran's I is taken.
    n_genes
        How many, or the whole panel where it is smaller.

    Returns
    -------
    Names, highest first; panel order among equals.

    Raises
    ------
    InputError
        If a gene of the panel was not measured.
    """
    total = np.zeros(len(space.genes))
    for section in check_sections(sections):
        total += np.nan_to_num(morans_i(space(section.counts), neighbour_weights(section.tiles.xy_um)))
    return [space.genes[i] for i in np.argsort(-total, kind="stable")[:n_genes]]
