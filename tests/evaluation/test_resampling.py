"""Intervals and p values against known answers and scipy."""

import numpy as np
import pytest
from scipy import stats

from mclstexp.evaluation.resampling import cannot_tell, holm, mean_interval, sign_flip_p, smallest_p
from slowly import slowly


def test_the_interval_is_scipys():
    values = np.random.default_rng(1).normal(0.3, 0.1, 7)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert mean_interval(values, level=0.9) == pytest.approx(tuple(theirs))
    assert mean_interval(np.array([0.2, 0.6])) == pytest.approx((0.4 - 12.706 * 0.2, 0.4 + 12.706 * 0.2), abs=1e-3)


def test_the_interval_of_units_with_several_values_is_that_of_their_means_where_all_have_as_many():
    values, of = np.array([0.1, 0.3, 0.5, 0.5, 0.2, 0.4]), list("AABBCC")
    assert mean_interval(values, of=of) == pytest.approx(mean_interval(np.array([0.2, 0.5, 0.3])))
    low, high = mean_interval(np.array([0.1, 0.3, 0.5, 0.2]), of=list("AABC"))
    assert (low + high) / 2 == pytest.approx(1.1 / 4), "the mean over values, not over units"


def test_the_interval_needs_two_units():
    assert np.isnan(mean_interval(np.array([0.3, np.nan]))).all()
    assert np.isnan(mean_interval(np.array([]))).all()
    assert np.isnan(mean_interval(np.array([0.1, 0.2, 0.3]), of=["A", "A", "A"])).all()
    assert mean_interval(np.array([0.3, 0.3])) == pytest.approx((0.3, 0.3))


@pytest.mark.parametrize("n_units", [2, slowly(3), slowly(5), slowly(8), 12])
@pytest.mark.parametrize(
    ("kind", "least"), [("normal", 0.935), ("skewed", 0.915), ("very skewed", 0.85), ("heavy tails", 0.935)]
)
def test_the_interval_holds_what_it_promises_however_few_the_units(kind, least, n_units):
    rng = np.random.default_rng(n_units)
    draw = {
        "normal": rng.normal,
        "skewed": lambda size: rng.gamma(4, 0.5, size) - 2,
        "very skewed": lambda size: rng.exponential(size=size) - 1,
        "heavy tails": lambda size: rng.standard_t(3, size),
    }[kind]
    values = draw(size=(1500, n_units))
    held = np.mean([low <= 0 <= high for low, high in map(mean_interval, values)])
    assert least <= held <= 0.98


@pytest.mark.parametrize("n_units", [2, 4, 8])
def test_the_interval_over_sections_holds_what_it_promises_of_individuals(n_units):
    rng, held = np.random.default_rng(n_units), []
    for _ in range(1500):
        of = np.repeat(np.arange(n_units), rng.integers(1, 5, n_units))
        low, high = mean_interval(rng.normal(size=n_units)[of] + rng.normal(size=len(of)), of=of)
        held.append(low <= 0 <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("n_units", "p"), [(1, "1"), (4, "0.125"), (5, "0.0625")])
def test_few_units_are_said_to_tell_nothing_apart(n_units, p):
    who = "1 patient" if n_units == 1 else f"{n_units} patients"
    assert cannot_tell(n_units, "patient") == f"{who} cannot tell methods apart: the smallest possible p is {p}."
    assert cannot_tell(6, "patient") == cannot_tell(0, "patient") == ""


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
