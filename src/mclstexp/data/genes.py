"""Which genes are looked at: panels and gene sets, chosen from training sections alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.panel import common_genes, select_hvg
from mclstexp.core.section import Section, check_sections

__all__ = ["common_genes", "select_heg", "select_hvg"]


def select_heg(sections: Sequence[Section], *, space: ExpressionSpace, n_genes: int = 50) -> list[str]:
    """Choose the genes of highest mean expression over the training spots.

    Published tables choose these 50 by the *test* section's truth; here the choice is made before the test.

    Parameters
    ----------
    sections
        Training sections.
    space
        Panel to choose from and scale to average on.
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
        total += space(section.counts).sum(axis=0, dtype=np.float64)
    return [space.genes[i] for i in np.argsort(-total, kind="stable")[:n_genes]]
