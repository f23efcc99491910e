"""Highly expressed genes are those of the training sections."""

import numpy as np

from mclstexp.core.expression import ExpressionSpace
from mclstexp.data.genes import select_heg
from small_methods import small_sections


def test_they_are_the_largest_means_over_all_spots():
    sections = small_sections(2)
    space = ExpressionSpace(sections[0].genes)
    means = np.concatenate([space(section.counts) for section in sections]).mean(axis=0)
    chosen = select_heg(sections, space=space, n_genes=7)
    assert chosen == [space.genes[i] for i in np.argsort(-means)[:7]]
    assert select_heg(sections[:1], space=space, n_genes=999) != []
    assert len(select_heg(sections, space=space)) == min(50, len(space.genes))
