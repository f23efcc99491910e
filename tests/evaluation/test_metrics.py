"""Metrics against other people's code and numbers worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon
from scipy.stats import linregress, pearsonr, spearmanr
from sklearn.metrics import mean_squared_error, mutual_info_score, normalized_mutual_info_score, roc_auc_score

from mclstexp.evaluation.metrics import (
    auc,
    dispersion,
    js,
    mae,
    mse,
    nmi,
    nrmse,
    pcc,
    pcc_depth,
    r2,
    spearman,
)

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(size=(40, 6))
PREDICTED = TRUTH + RNG.normal(size=(40, 6))
COUNTS = RNG.poisson(1.5, size=(40, 6)).astype(float)
DEPTH = RNG.poisson(300, size=40).astype(float)
PATTERNS = {
    "pcc": pcc,
    "spearman": spearman,
    "pcc_depth": lambda truth, predicted: pcc_depth(truth, predicted, depth=DEPTH[: len(truth)]),
    "nmi": nmi,
}
WHOLE = st.integers(-20, 20)
PAIR = st.tuples(arrays(np.float64, (12, 3), elements=WHOLE), arrays(np.float64, (12, 3), elements=WHOLE))


def test_pcc_is_scipys():
    expected = [pearsonr(TRUTH[:, g], PREDICTED[:, g])[0] for g in range(6)]
    np.testing.assert_allclose(pcc(TRUTH, PREDICTED), expected, rtol=1e-12)


@pytest.mark.parametrize("decimals", [5, 0])
def test_spearman_is_scipys_with_and_without_ties(decimals):
    truth, predicted = TRUTH.round(decimals), PREDICTED.round(decimals)
    expected = [spearmanr(truth[:, g], predicted[:, g])[0] for g in range(6)]
    np.testing.assert_allclose(spearman(truth, predicted), expected, rtol=1e-12)


@pytest.mark.parametrize("name", PATTERNS)
def test_constants_score_zero_or_nothing(name):
    truth, predicted = TRUTH.copy(), PREDICTED.copy()
    predicted[:, 0] = 1 / 3
    truth[:, 1] = 0.1
    truth[:, 2], predicted[:, 2] = 0.7, 0.7
    found = PATTERNS[name](truth, predicted)
    assert found[0] == 0
    assert np.isnan(found[[1, 2]]).all()
    assert np.isfinite(found[3:]).all()


@pytest.mark.parametrize("name", PATTERNS)
def test_a_constant_in_float32_is_constant(name):
    predicted = np.full((40, 1), 0.1, np.float32)
    predicted += np.float32(1e-9) * RNG.normal(size=(40, 1)).astype(np.float32)
    assert PATTERNS[name](TRUTH[:, :1], predicted) == 0


def test_pcc_does_not_depend_on_scale_or_shift():
    np.testing.assert_allclose(pcc(TRUTH * 1e3 - 50, PREDICTED / 7 + 9), pcc(TRUTH, PREDICTED), rtol=1e-9)
    np.testing.assert_allclose(pcc(TRUTH, -TRUTH), -1)


def test_the_partial_correlation_is_that_of_residuals_and_the_textbooks():
    line = np.log1p(DEPTH)
    truth, predicted = TRUTH + 9 * line[:, None], PREDICTED + 5 * line[:, None]

    def rest(values):
        fit = linregress(line, values)
        return values - fit.intercept - fit.slope * line

    found = pcc_depth(truth, predicted, depth=DEPTH)
    residuals = [pearsonr(rest(truth[:, g]), rest(predicted[:, g]))[0] for g in range(6)]
    np.testing.assert_allclose(found, residuals, rtol=1e-9)
    depth = np.broadcast_to(line[:, None], truth.shape)
    r_tp, r_td, r_pd = pcc(truth, predicted), pcc(truth, depth), pcc(predicted, depth)
    np.testing.assert_allclose(found, (r_tp - r_td * r_pd) / np.sqrt((1 - r_td**2) * (1 - r_pd**2)), rtol=1e-9)


def test_knowing_the_depth_alone_scores_zero_given_depth():
    line = np.log1p(DEPTH)[:, None].astype(np.float32)
    assert pcc_depth(TRUTH[:, :1], 3 * line - 1, depth=DEPTH) == 0
    assert np.isnan(pcc_depth(3 * line - 1, TRUTH[:, :1], depth=DEPTH)).all()
    np.testing.assert_allclose(pcc_depth(TRUTH, PREDICTED, depth=np.full(40, 7.0)), pcc(TRUTH, PREDICTED), rtol=1e-12)


def test_errors_by_hand():
    truth = np.array([[0.0, 1], [2, 1], [4, 1]])
    predicted = np.array([[1.0, 1], [2, 3], [1, 1]])
    np.testing.assert_allclose(mse(truth, predicted), [10 / 3, 4 / 3])
    np.testing.assert_allclose(mae(truth, predicted), [4 / 3, 2 / 3])
    np.testing.assert_allclose(r2(truth, predicted, train_mean=[1.0, 0.0]), [1 - 10 / 11, 1 - 4 / 3])
    np.testing.assert_allclose(nrmse(truth, predicted), [np.sqrt(10 / 3) / 4, np.nan])
    np.testing.assert_allclose(dispersion(truth, predicted), [(2 / 9) / (8 / 3), np.nan])


def test_the_mean_squared_error_is_scikit_learns():
    expected = [mean_squared_error(TRUTH[:, g], PREDICTED[:, g]) for g in range(6)]
    np.testing.assert_allclose(mse(TRUTH, PREDICTED), expected, rtol=1e-12)


def test_r2_of_the_train_mean_is_zero_and_of_the_truth_one():
    train_mean = np.arange(6.0)
    np.testing.assert_array_equal(r2(TRUTH, np.broadcast_to(train_mean, TRUTH.shape), train_mean=train_mean), 0)
    np.testing.assert_array_equal(r2(TRUTH, TRUTH, train_mean=train_mean), 1)


def test_r2_is_unknown_where_the_train_mean_makes_no_error():
    truth = np.array([[1.0, 2], [1, 3]])
    assert np.isnan(r2(truth, truth, train_mean=[1.0, 0.0])[0])


@pytest.mark.parametrize("metric", [mse, mae])
def test_float32_does_not_lose_small_errors_on_large_values(metric):
    truth = np.full((2000, 1), 1000, np.float32)
    assert metric(truth, truth + np.float32(0.5))[0] == pytest.approx(0.25 if metric is mse else 0.5)


def test_a_constant_prediction_has_no_dispersion_and_half_the_variance_half_of_it():
    assert dispersion(TRUTH, np.full_like(TRUTH, 2.0)).max() == 0
    np.testing.assert_allclose(dispersion(TRUTH, 5 + TRUTH / np.sqrt(2)), 0.5)


@pytest.mark.parametrize("n_spots", [40, 1331])
def test_mutual_information_is_scikit_learns_of_the_same_bins(n_spots):
    n_bins = 10 if n_spots == 40 else 11
    truth = RNG.normal(size=(n_spots, 3))
    predicted = truth**2 + 0.1 * RNG.normal(size=(n_spots, 3))
    found = nmi(truth, predicted)
    for g in range(3):
        t, p = (np.argsort(np.argsort(values[:, g])) * n_bins // n_spots for values in (truth, predicted))
        expected = normalized_mutual_info_score(t, p, average_method="geometric")
        assert found[g] == pytest.approx(expected, rel=1e-9)
        entropies = mutual_info_score(t, t) * mutual_info_score(p, p)
        assert found[g] == pytest.approx(mutual_info_score(t, p) / np.sqrt(entropies), rel=1e-9)


def test_equal_values_share_a_bin_whatever_their_order():
    # 30 zeros and 10 ones: one bit of relation, known exactly or not at all
    truth = np.repeat([[0.0], [1.0]], [30, 10], axis=0)
    balanced = np.tile([[0.0], [0.0], [1.0]], (14, 1))[:40]
    balanced[30:] = np.repeat([[0.0], [1.0]], 5, axis=0)
    balanced[:30] = np.repeat([[0.0], [1.0]], 15, axis=0)
    np.testing.assert_allclose(nmi(np.hstack([truth, truth]), np.hstack([1 - truth, balanced])), [1, 0], atol=1e-12)


def test_the_divergence_is_scipys_with_negative_values_taken_as_zero():
    truth = RNG.gamma(1, size=(40, 6))
    expected = [jensenshannon(truth[:, g], np.maximum(PREDICTED[:, g], 0), base=2) ** 2 for g in range(6)]
    np.testing.assert_allclose(js(truth, PREDICTED), expected, rtol=1e-9)


def test_the_divergence_is_0_of_the_same_shape_1_of_none_in_common_and_unknown_of_constants():
    truth = np.array([[1.0, 1, 1, 0], [2, 0, 1, 0], [0, 0, 1, 0]])
    predicted = np.array([[3.0, -1, 1, 1], [6, 2, 2, 2], [0, 3, 3, 3]])
    np.testing.assert_allclose(js(truth, predicted), [0, 1, np.nan, np.nan], atol=1e-12)
    np.testing.assert_array_equal(js(truth[:, :2], np.full((3, 2), -0.5)), 1)
    assert 0 < js(truth[:, :1], np.full((3, 1), 0.5))[0] < 1


def test_the_area_is_scikit_learns_with_and_without_ties():
    for predicted in (PREDICTED, PREDICTED.round()):
        expected = [roc_auc_score(COUNTS[:, g] > 0, predicted[:, g]) for g in range(6)]
        np.testing.assert_allclose(auc(COUNTS, predicted), expected, rtol=1e-12)


def test_the_area_is_a_half_for_constants_and_unknown_for_one_class():
    counts = np.array([[0.0, 0, 3, 0], [2, 0, 1, 1], [1, 0, 5, 2]])
    predicted = np.array([[0.3, 1, 1, 9], [0.3, 2, 2, 3], [0.3, 3, 3, 4]], np.float32)
    np.testing.assert_array_equal(auc(counts, predicted), [0.5, np.nan, np.nan, 0])


@settings(max_examples=50, deadline=None)
@given(PAIR)
def test_every_score_stays_in_its_range(pair):
    truth, predicted = pair
    for name, low in (("pcc", -1), ("spearman", -1), ("pcc_depth", -1), ("nmi", 0)):
        found = PATTERNS[name](truth, predicted)
        assert (np.isnan(found) | ((found >= low) & (found <= 1))).all(), name
    for found in (js(truth, predicted), auc(truth, predicted)):
        assert (np.isnan(found) | ((found >= 0) & (found <= 1))).all()
    constant = np.ptp(truth, axis=0) == 0
    np.testing.assert_array_equal(np.isnan(nmi(truth, predicted)), constant)
    np.testing.assert_array_equal(np.isnan(nrmse(truth, predicted)), constant)
    np.testing.assert_array_equal(np.isnan(spearman(truth, predicted)), constant)


@settings(max_examples=50, deadline=None)
@given(PAIR, st.permutations(range(12)))
def test_the_order_of_spots_does_not_matter(pair, order):
    truth, predicted = pair
    for metric in (pcc, spearman, nmi, js, auc, nrmse, dispersion):
        np.testing.assert_allclose(metric(truth[order], predicted[order]), metric(truth, predicted), atol=1e-9)
    shuffled = pcc_depth(truth[order], predicted[order], depth=DEPTH[:12][order])
    np.testing.assert_allclose(shuffled, pcc_depth(truth, predicted, depth=DEPTH[:12]), atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(PAIR)
def test_ranks_do_not_see_the_scale_and_patterns_not_the_unit(pair):
    truth, predicted = pair
    for metric in (spearman, nmi, auc):
        np.testing.assert_allclose(metric(truth, predicted**3), metric(truth, predicted), atol=1e-9)
    for metric in (pcc, js):
        np.testing.assert_allclose(metric(truth * 4, predicted * 0.5), metric(truth, predicted), atol=1e-9)
    for metric in (nrmse, dispersion):
        np.testing.assert_allclose(metric(truth * 4, predicted * 4), metric(truth, predicted), atol=1e-9)
