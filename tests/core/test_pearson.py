"""Pearson per gene: scipy's where scipy has an answer, settled where it has none."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr

from mclstexp.core.pearson import pearson_per_gene

RNG = np.random.default_rng(0)
WHOLE = st.integers(-1000, 1000)


@settings(max_examples=100, deadline=None)
@given(arrays(np.float64, (7, 3), elements=WHOLE), arrays(np.float64, (7, 3), elements=WHOLE))
def test_it_is_scipys_or_0_or_nan(truth, predicted):
    for found, t, p in zip(pearson_per_gene(truth, predicted), truth.T, predicted.T, strict=True):
        if np.ptp(t) == 0:
            assert np.isnan(found)
        elif np.ptp(p) == 0:
            assert found == 0
        else:
            np.testing.assert_allclose(found, pearsonr(t, p)[0], atol=1e-12)


def test_a_constant_that_rounding_spreads_is_still_constant():
    # the mean of equal numbers need not be that number
    truth = RNG.normal(size=(298, 3))
    flat = np.broadcast_to([0.1, 1e8 / 3, 1e-8 / 7], truth.shape)
    assert np.ptp(flat - flat.mean(axis=0), axis=0).max() == 0
    np.testing.assert_array_equal(pearson_per_gene(truth, flat), 0)
    assert np.isnan(pearson_per_gene(flat, truth)).all()
    assert np.isnan(pearson_per_gene(np.zeros((5, 1)), np.zeros((5, 1)))).all()


def test_one_spot_tells_nothing():
    assert np.isnan(pearson_per_gene(np.array([[3.0]]), np.array([[2.0]]))).all()


def test_small_variation_on_a_large_level_is_not_constant():
    signal = RNG.normal(size=(50, 1))
    np.testing.assert_allclose(pearson_per_gene(signal, 10 + 1e-4 * signal), 1, rtol=1e-9)


def test_it_never_leaves_its_range():
    truth = RNG.normal(size=(3, 2000))
    found = pearson_per_gene(truth, truth * 0.1)
    assert found.max() <= 1
    np.testing.assert_allclose(found, 1)
