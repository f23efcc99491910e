"""Intervals and p values against known answers and scipy."""

import numpy as np
import pytest
from scipy import stats

from mclstexp.evaluation.resampling import bootstrap_interval, holm, sign_flip_p, smallest_p


def test_the_interval_of_two_values_is_the_two():
    # each is drawn twice in a quarter of the draws
    assert bootstrap_interval(np.array([0.2, 0.6])) == (0.2, 0.6)


def test_the_interval_is_scipys():
    values = np.random.default_rng(1).normal(0.3, 0.1, 30)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", random_state=0)
    ours = bootstrap_interval(values, n_boot=20_000)
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.002)


def test_the_interval_of_many_is_that_of_the_normal_mean():
    values = np.random.default_rng(0).normal(0.3, 0.1, 400)
    low, high = bootstrap_interval(values, n_boot=5000)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.001)


def test_the_interval_is_the_same_for_one_seed_and_needs_two_values():
    values = np.array([0.1, 0.5, 0.2, 0.9])
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values) != bootstrap_interval(values, n_boot=50, seed=3)
    assert np.isnan(bootstrap_interval(np.array([0.3, np.nan]))).all()
    assert np.isnan(bootstrap_interval(np.array([]))).all()


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([0.2], 1.0),
        ([0.1, 0.2, 0.3], 0.25),  # only +++ and --- are as far from 0
        ([-1.0, 2.0, 3.0], 0.5),  # sums of absolute value 4 or 6: four of eight
        ([0.0, 0.0, 0.0], 1.0),
        ([0.1, 0.1, 0.1, 0.1, 0.1], 0.0625),
        ([], np.nan),
    ],
)
def test_p_is_exact_on_few_units(differences, p):
    assert sign_flip_p(np.array(differences)) == pytest.approx(p, nan_ok=True)


@pytest.mark.parametrize("n", [4, 9, 12])
def test_exact_p_is_scipys(n):
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    theirs = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_p(differences) == pytest.approx(theirs.pvalue)


def test_random_flips_come_near_the_exact_p_and_never_to_0():
    differences = np.random.default_rng(5).normal(0.4, 1, 16)
    signs = 1 - 2 * ((np.arange(2**16)[:, None] >> np.arange(16)) & 1)
    exact = (np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9).mean()
    assert sign_flip_p(differences) == pytest.approx(exact, abs=0.01)
    assert sign_flip_p(np.ones(40)) == smallest_p(40) == 1 / 10_001


@pytest.mark.parametrize("n", range(1, 13))
def test_the_smallest_p_is_reached_when_all_differ_one_way(n):
    assert sign_flip_p(np.linspace(0.1, 0.3, n)) == smallest_p(n) == 2 / 2**n


def test_p_is_fair_where_there_is_no_difference():
    rng = np.random.default_rng(0)
    found = np.mean([sign_flip_p(rng.normal(size=8)) <= 0.05 for _ in range(500)])
    assert 0.02 < found < 0.08


def test_holm_on_the_textbook_example():
    # Holm's steps for 0.01, 0.04, 0.03, 0.005: 4 · 0.005, 3 · 0.01, 2 · 0.03, then 0.04 not below the one before
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_holm_stops_at_1_and_counts_no_missing_test():
    np.testing.assert_allclose(holm([0.6, 0.7]), [1, 1])
    np.testing.assert_array_equal(holm([np.nan, 0.02, 0.03]), [np.nan, 0.04, 0.04])
    assert len(holm([])) == 0
