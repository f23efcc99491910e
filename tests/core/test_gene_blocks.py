"""Work in blocks gives what work at once gives, to the last digit, and holds little."""

import math
import tracemalloc
from functools import partial

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from mclstexp.core import gene_blocks, panel
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.gene_blocks import blocks
from mclstexp.core.panel import by_variability
from mclstexp.core.pearson import constant_truth, pearson_per_gene
from mclstexp.data.autocorrelation import morans_i, neighbour_weights
from mclstexp.evaluation import count_noise, metrics
from mclstexp.evaluation.ceiling import noise_ceiling
from mclstexp.evaluation.structure import gene_correlation_error

RNG = np.random.default_rng(0)
XY = np.column_stack([axis.ravel() for axis in np.mgrid[:9, :8]]) * 8.0
TRUTH, GUESS = (RNG.normal(size=(len(XY), 37)).astype(np.float32) for _ in range(2))
TRUTH[:, 3], GUESS[:, 5] = 1, 2
COUNTS = RNG.poisson(0.4, (len(XY), 37))
COUNTS[:, 11], COUNTS[7] = 0, 0
DEPTH = COUNTS.sum(axis=1).astype(float)
NAMES = np.array([f"G{gene:02}" for gene in range(37)])
WEIGHTS = neighbour_weights(XY)

PER_GENE = {
    "pearson": lambda: pearson_per_gene(TRUTH, GUESS),
    "by name": lambda: pearson_per_gene(predicted=GUESS, truth=TRUTH),
    "constant": lambda: constant_truth(TRUTH),
    "morans_i": lambda: morans_i(TRUTH, WEIGHTS),
    "pcc_depth": lambda: metrics.pcc_depth(TRUTH, GUESS, depth=DEPTH),
    "r2": lambda: metrics.r2(TRUTH, GUESS, train_mean=TRUTH.mean(axis=0)),
    "auc": lambda: metrics.auc(COUNTS.astype(float), GUESS),
    **{
        name: (lambda name=name: getattr(metrics, name)(TRUTH, GUESS))
        for name in ("spearman", "mse", "mae", "nrmse", "dispersion", "nmi", "js")
    },
}


@pytest.mark.parametrize("name", PER_GENE)
def test_numbers_per_gene_do_not_depend_on_blocks(name, monkeypatch):
    whole = PER_GENE[name]()
    monkeypatch.setattr(gene_blocks, "BLOCK", 5 * len(XY))
    in_blocks = PER_GENE[name]()
    assert in_blocks.dtype == whole.dtype
    np.testing.assert_array_equal(in_blocks, whole)


def test_correlations_of_genes_do_not_depend_on_blocks(monkeypatch):
    known = [gene for gene in range(37) if gene != 3]
    t, p = np.corrcoef(TRUTH[:, known].T.astype(float)), np.zeros((36, 36))
    varied = [place for place, gene in enumerate(known) if gene != 5]
    p[np.ix_(varied, varied)] = np.corrcoef(GUESS[:, [known[i] for i in varied]].T.astype(float))
    apart = (t - p)[~np.eye(36, dtype=bool)]
    assert gene_correlation_error(TRUTH, GUESS) == pytest.approx(np.sqrt((apart**2).mean()), abs=1e-12)
    monkeypatch.setattr("mclstexp.evaluation.structure._BLOCK", 10)
    monkeypatch.setattr("mclstexp.evaluation.structure.blocks", lambda n, width: gene_blocks.blocks(n, width, most=200))
    assert gene_correlation_error(TRUTH, GUESS) == pytest.approx(np.sqrt((apart**2).mean()), abs=1e-12)


def test_slices_hold_all_and_no_more_than_asked():
    assert gene_blocks.blocks(7, 10, most=30) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert gene_blocks.blocks(3, 1000, most=30) == [slice(0, 1), slice(1, 2), slice(2, 3)]
    assert gene_blocks.blocks(0, 10) == []


def _variance(counts):
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / counts.sum()
    spread = np.sqrt(expected + 0.01 * expected**2)
    residual = np.divide(counts - expected, spread, out=np.zeros_like(counts), where=spread > 0)
    return np.clip(residual, -np.sqrt(len(counts)), np.sqrt(len(counts))).var(axis=0)


def test_genes_are_ordered_as_from_the_dense_matrix(monkeypatch):
    sections = [COUNTS, RNG.poisson(0.4, COUNTS.shape)]
    rank = sum(np.argsort(np.argsort(_variance(counts.astype(float)))) for counts in sections)
    expected = np.lexsort((NAMES, -rank))
    for kind in (sparse.csr_matrix, sparse.csc_matrix):
        for most in (2**19, 4 * len(XY)):
            monkeypatch.setattr(panel, "_DENSE", most)
            found = by_variability([kind(counts) for counts in sections], names=NAMES)
            np.testing.assert_array_equal(found, expected)


def test_the_choice_of_genes_holds_less_than_one_dense_copy():
    counts = sparse.random(20_000, 300, 0.05, format="csr", random_state=0)
    counts.data = np.ceil(counts.data * 3).astype(np.int32)
    tracemalloc.start()
    by_variability([counts], names=np.arange(300).astype(str))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000 * 300 * 8


@pytest.mark.parametrize("axis", ["spot", "gene"])
def test_expression_is_that_of_the_dense_formula(axis):
    order = RNG.permutation(37)[:30]
    space = ExpressionSpace(tuple(NAMES[order]), axis=axis)
    dense = COUNTS[:, order].astype(float)
    totals = dense.sum(axis=1 if axis == "spot" else 0, keepdims=True)
    share = np.divide(dense, totals, out=np.zeros_like(dense), where=totals > 0)
    expected = (np.log1p(1e4 * share) / math.log(10)).astype(np.float32)
    for kind in (sparse.csr_matrix, np.array):
        counts = AnnData(kind(COUNTS.astype(np.int32)), var=pd.DataFrame(index=NAMES))
        np.testing.assert_array_equal(space(counts), expected)
        np.testing.assert_array_equal(space.counts(counts), dense)
        assert space.counts(counts).dtype == np.float64


def test_the_ceiling_of_each_gene_is_its_own(monkeypatch):
    space = ExpressionSpace(tuple(NAMES))
    counts = AnnData(sparse.csr_matrix(COUNTS.astype(np.int32)), var=pd.DataFrame(index=NAMES))

    whole = noise_ceiling(counts, space=space)
    monkeypatch.setattr(count_noise, "blocks", partial(blocks, most=3 * 33 * 16))
    np.testing.assert_allclose(noise_ceiling(counts, space=space), whole, rtol=1e-12)
