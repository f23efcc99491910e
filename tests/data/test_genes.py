"""Gene sets are those of the training sections."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.data.autocorrelation import morans_i, neighbour_weights
from mclstexp.data.genes import select_heg, select_hvg, select_hvg_set, select_svg
from small_methods import small_sections


@cache
def _two():
    return small_sections(2)


def _designed():
    """A section of genes alike but for how they vary: with a pattern, without one, hardly, never seen."""
    rng = np.random.default_rng(0)
    section = small_sections(1, n_spots_side=12)[0]
    left = section.tiles.xy[:, :1] < np.median(section.tiles.xy[:, 0])
    pattern = np.repeat(np.where(left, 36, 4), 4, axis=1)
    noise = rng.permuted(np.repeat(np.where(left, 60, 0), 4, axis=1), axis=0)
    rates = np.hstack([np.full((len(section), 20), 20), noise, pattern, np.zeros((len(section), 1))])
    kinds = {"FLAT": 20, "NOISE": 4, "SVG": 4, "NEVER": 1}
    names = [f"{kind}{i}" for kind, n_genes in kinds.items() for i in range(n_genes)]
    counts = AnnData(
        sparse.csr_matrix(rng.poisson(rates)), obs=section.counts.obs, var=pd.DataFrame(index=pd.Index(names))
    )
    return replace(section, counts=counts), ExpressionSpace(tuple(names))


def test_highly_expressed_are_the_largest_means_over_all_spots():
    sections = _two()
    space = ExpressionSpace(sections[0].genes)
    means = np.concatenate([space(section.counts) for section in sections]).mean(axis=0)
    chosen = select_heg(sections, space=space, n_genes=7)
    assert chosen == [space.genes[i] for i in np.argsort(-means)[:7]]
    assert select_heg(sections[:1], space=space, n_genes=999) != []
    assert len(select_heg(sections, space=space)) == min(50, len(space.genes))


def test_spatially_variable_have_a_pattern_and_highly_variable_need_none():
    section, space = _designed()
    patterned, noisy = {f"SVG{i}" for i in range(4)}, {f"NOISE{i}" for i in range(4)}
    assert set(select_svg([section], space=space, n_genes=4)) == patterned
    assert set(select_hvg_set([section], space=space, n_genes=4)) == noisy
    assert set(select_hvg_set([section], space=space, n_genes=8)) == noisy | patterned


def test_spatially_variable_are_the_largest_mean_of_morans_i():
    sections = _two()
    space = ExpressionSpace(sections[0].genes)
    each = [morans_i(space(s.counts), neighbour_weights(s.tiles.xy_um)) for s in sections]
    best = np.argsort(-np.nan_to_num(each).mean(axis=0), kind="stable")[:7]
    assert select_svg(sections, space=space, n_genes=7) == [space.genes[i] for i in best]
    assert len(select_svg(sections, space=space)) == min(50, len(space.genes))


def test_the_set_of_highly_variable_is_the_panels_own_ranking():
    sections = _two()
    panel = select_hvg(sections, n_genes=999)
    space = ExpressionSpace(tuple(panel))
    assert sorted(select_hvg_set(sections, space=space, n_genes=9)) == sorted(select_hvg(sections, n_genes=9))


@pytest.mark.parametrize("rule", [select_heg, select_hvg_set, select_svg])
def test_a_rule_chooses_within_the_panel_and_says_what_was_not_measured(rule):
    sections = _two()
    space = ExpressionSpace(sections[0].genes[3:9])
    assert set(rule(sections, space=space)) == set(space.genes)
    with pytest.raises(InputError, match="missing"):
        rule(sections, space=ExpressionSpace(("NO_SUCH_GENE",)))
