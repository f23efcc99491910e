"""The noise ceiling rises with depth; the depth oracle is a correlation with totals."""

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse
from scipy.stats import pearsonr

from mclstexp.core.expression import ExpressionSpace
from mclstexp.evaluation.ceiling import depth_oracle, noise_ceiling

GENES = tuple(f"G{g}" for g in range(12))


def _counts(depth, seed=0):
    rng = np.random.default_rng(seed)
    rates = rng.dirichlet(np.full(12, 2.0), size=150)
    counts = rng.poisson(depth * rates)
    return AnnData(sparse.csr_matrix(counts), var=pd.DataFrame(index=list(GENES))), rates


def test_it_rises_with_depth_towards_one():
    space = ExpressionSpace(GENES)
    ceilings = [np.nanmean(noise_ceiling(_counts(depth)[0], space=space)) for depth in (10, 100, 1000, 100_000)]
    assert ceilings == sorted(ceilings)
    assert ceilings[0] < 0.7
    assert ceilings[-1] > 0.99


def test_it_is_about_what_the_true_rates_reach():
    counts, rates = _counts(200)
    space = ExpressionSpace(GENES)
    truth, perfect = space(counts), np.log10(1 + 1e4 * rates)
    reached = np.mean([pearsonr(truth[:, g], perfect[:, g])[0] for g in range(12)])
    assert abs(np.nanmean(noise_ceiling(counts, space=space)) - reached) < 0.05


def test_no_structure_no_ceiling():
    flat = np.random.default_rng(0).poisson(5, size=(300, 12))
    counts = AnnData(sparse.csr_matrix(flat), var=pd.DataFrame(index=list(GENES)))
    assert np.nanmean(noise_ceiling(counts, space=ExpressionSpace(GENES))) < 0.25


def test_a_gene_that_was_never_seen_has_none():
    counts, _ = _counts(100)
    counts.X = sparse.csr_matrix(counts.X.toarray() * (np.arange(12) != 3))
    ceiling = noise_ceiling(counts, space=ExpressionSpace(GENES))
    assert np.isnan(ceiling[3])
    assert np.isfinite(np.delete(ceiling, 3)).all()


def test_the_same_seed_gives_the_same_ceiling():
    counts, _ = _counts(50)
    one, two, other = (noise_ceiling(counts, space=ExpressionSpace(GENES), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_the_depth_oracle_is_the_correlation_with_log_totals():
    counts, _ = _counts(50)
    counts = AnnData(sparse.csr_matrix(counts.X.toarray() * (1 + np.arange(150)[:, None] % 5)), var=counts.var)
    space = ExpressionSpace(GENES)
    depth = np.log1p(counts.X.toarray().sum(axis=1))
    expected = [pearsonr(space(counts)[:, g], depth)[0] for g in range(12)]
    np.testing.assert_allclose(depth_oracle(counts, space=space), expected, rtol=1e-6)
