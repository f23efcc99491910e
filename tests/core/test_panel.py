"""The default panel: genes that vary beyond sampling, whatever order they come in."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.panel import common_genes, select_hvg
from small_methods import small_sections


def _with(section, matrix, genes):
    return replace(
        section, counts=AnnData(sparse.csr_matrix(matrix), obs=section.counts.obs, var=pd.DataFrame(index=genes))
    )


def _designed(seed):
    """Ten genes that follow a pattern over the section, ninety that only sampling moves."""
    rng = np.random.default_rng(seed)
    section = small_sections(1, n_spots_side=9)[0]
    rates = np.full((len(section), 100), 8.0)
    rates[:, :10] *= np.where(section.tiles.xy[:, :1] > np.median(section.tiles.xy[:, 0]), 1.8, 0.2)
    genes = [f"{'PATTERN' if g < 10 else 'FLAT'}{g}" for g in range(100)]
    return replace(_with(section, rng.poisson(rates), genes), id=f"s{seed}")


def test_genes_with_a_pattern_come_first():
    assert set(select_hvg([_designed(0), _designed(1)], n_genes=10)) == {f"PATTERN{g}" for g in range(10)}


def test_the_order_of_genes_and_sections_does_not_matter():
    one, two = _designed(0), _designed(1)
    order = np.random.default_rng(0).permutation(100)
    turned = [replace(s, counts=s.counts[:, order]) for s in (two, one)]
    assert set(select_hvg(turned, n_genes=25)) == set(select_hvg([one, two], n_genes=25))


def test_the_panel_keeps_the_files_order_and_leaves_rare_genes_out():
    section = _designed(0)
    matrix = section.counts.X.toarray()
    matrix[:, 0] = 0
    matrix[0, 0] = 500
    chosen = select_hvg([_with(section, matrix, list(section.genes))], n_genes=20)
    assert chosen == [gene for gene in section.genes if gene in chosen]
    assert "PATTERN0" not in chosen


def test_only_common_genes_are_considered():
    one, two = _designed(0), _designed(1)
    fewer = replace(two, counts=two.counts[:, 5:])
    assert common_genes([one, fewer]) == list(one.genes[5:])
    assert set(select_hvg([one, fewer])) <= set(one.genes[5:])
    strangers = _with(two, two.counts.X, [f"x{gene}" for gene in two.genes])
    with pytest.raises(InputError, match="none common to all 2"):
        common_genes([one, strangers])


def test_no_gene_left_is_said():
    section = _designed(0)
    empty = _with(section, np.zeros(section.counts.shape, int), list(section.genes))
    with pytest.raises(InputError, match="lower min_spot_share"):
        select_hvg([empty])
