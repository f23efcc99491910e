"""Of large sections the null is made of coarse patterns and squares, and says what all patterns say."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from made_pairs import made_pair, smooth_maps, square
from mclstexp.analysis import spatial_null
from mclstexp.analysis.coarse_patterns import coarse_patterns
from mclstexp.analysis.gene_ranking import rank_genes
from mclstexp.analysis.spatial_null import draw_signs, moran_basis, null_correlations
from mclstexp.core.pearson import pearson_per_gene

ARRAY = square(30)
PLACES = ARRAY[(np.hypot(*(ARRAY - 14).T) < 15) & (ARRAY[:, 0] + ARRAY[:, 1] > 12)]


@pytest.fixture(autouse=True)
def _few_landmarks(monkeypatch):
    monkeypatch.setattr("mclstexp.analysis.coarse_patterns._LANDMARKS", 250)


def _null(truth, guess, basis, squares=None):
    signs = draw_signs(np.random.default_rng(3), n_permutations=499, basis=basis, squares=squares)
    return null_correlations(truth, guess, basis=basis, signs=signs, squares=squares)


def test_patterns_are_orthonormal_without_means_and_nearly_the_coarsest_of_all():
    coarse, squares = coarse_patterns(PLACES, n_patterns=60)
    np.testing.assert_allclose(coarse.T @ coarse, np.eye(60), atol=1e-8)
    np.testing.assert_allclose(coarse.sum(axis=0), 0, atol=1e-8)
    exact = moran_basis(PLACES)[:, :70]
    held = ((exact.T @ coarse) ** 2).sum(axis=0)
    assert held[:20].min() > 0.98
    assert held.min() > 0.5
    n_inside = np.bincount(squares)
    assert len(n_inside) > 12
    assert n_inside.max() <= 64


@pytest.mark.parametrize(("length", "noise"), [(1, 0), (3, 0.5), (6, 0), (12, 1)])
def test_the_null_is_as_wide_as_that_of_all_patterns_and_p_is_uniform(length, noise):
    rng = np.random.default_rng(1)
    truth, guess = (smooth_maps(rng, PLACES, 300, length=length, noise=noise) for _ in range(2))
    observed, null = _null(truth, guess, *coarse_patterns(PLACES, n_patterns=60))
    np.testing.assert_allclose(observed, pearson_per_gene(truth, guess), atol=1e-12)
    _, exact = _null(truth, guess, moran_basis(PLACES))
    assert null.std() == pytest.approx(exact.std(), rel=0.1)
    p = (1 + (null >= observed).sum(axis=0)) / 500
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert (p <= 0.05).mean() < 0.08


def test_blocks_of_genes_and_constant_ones_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    truth, guess = smooth_maps(rng, PLACES, 7), smooth_maps(rng, PLACES, 7)
    truth[:, 2], guess[:, 4] = 1, 2
    basis, squares = coarse_patterns(PLACES, n_patterns=30)
    observed, null = _null(truth, guess, basis, squares)
    assert observed[[2, 4]].tolist() == [0, 0]
    assert not null[:, [2, 4]].any()
    monkeypatch.setattr(spatial_null, "_NUMBERS", 2 * len(PLACES))
    for one, other in zip(_null(truth, guess, basis, squares), (observed, null), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize(
    "xy", [np.column_stack([np.arange(400.0), np.zeros(400)]), np.vstack([PLACES, PLACES[:9], [[1e5, 1e5]]])]
)
def test_lines_twins_and_pieces_far_apart_have_patterns_too(xy):
    coarse, squares = coarse_patterns(xy, n_patterns=30)
    np.testing.assert_allclose(coarse.T @ coarse, np.eye(30), atol=1e-6)
    assert len(squares) == len(xy)


def test_a_ranking_of_a_large_section_says_what_all_patterns_say(monkeypatch):
    rng = np.random.default_rng(5)
    truth, guess = (smooth_maps(rng, square(25), 60, length=3) for _ in range(2))
    guess[:, :20] = 0.5 * truth[:, :20] + 0.5 * guess[:, :20]
    pair = made_pair(0.3 * truth, 0.3 * guess)
    exact = rank_genes([pair], n_permutations=199)["p_spatial"]
    monkeypatch.setattr(spatial_null, "MOST_EXACT", 500)
    monkeypatch.setattr(spatial_null, "moran_basis", None)
    coarse = rank_genes([pair], n_permutations=199)["p_spatial"].reindex(exact.index)
    assert np.corrcoef(exact, coarse)[0, 1] > 0.95
    assert ((exact <= 0.05) == (coarse <= 0.05)).mean() > 0.9


def test_memory_grows_with_spots_not_with_their_square():
    xy = np.column_stack([axis.ravel() for axis in np.mgrid[:110, :110]]).astype(float)
    tracemalloc.start()
    coarse_patterns(xy, n_patterns=60)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6  # all patterns take 2.3 GB
