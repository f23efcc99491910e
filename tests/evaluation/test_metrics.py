"""Metrics against other people's code and numbers worked by hand."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from mclstexp.evaluation.metrics import mae, mse, pcc, r2

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(size=(40, 6))
PREDICTED = TRUTH + RNG.normal(size=(40, 6))


def test_pcc_is_scipys():
    expected = [pearsonr(TRUTH[:, g], PREDICTED[:, g])[0] for g in range(6)]
    np.testing.assert_allclose(pcc(TRUTH, PREDICTED), expected, rtol=1e-12)


def test_constants_score_zero_or_nothing():
    truth, predicted = TRUTH.copy(), PREDICTED.copy()
    predicted[:, 0] = 1 / 3
    truth[:, 1] = 0.1
    truth[:, 2], predicted[:, 2] = 0.7, 0.7
    found = pcc(truth, predicted)
    assert found[0] == 0
    assert np.isnan(found[[1, 2]]).all()
    assert np.isfinite(found[3:]).all()


def test_a_constant_in_float32_is_constant():
    predicted = np.full((1000, 1), 0.1, np.float32)
    predicted += np.float32(1e-9) * RNG.normal(size=(1000, 1)).astype(np.float32)
    assert pcc(RNG.normal(size=(1000, 1)), predicted) == 0


def test_pcc_does_not_depend_on_scale_or_shift():
    np.testing.assert_allclose(pcc(TRUTH * 1e3 - 50, PREDICTED / 7 + 9), pcc(TRUTH, PREDICTED), rtol=1e-9)
    np.testing.assert_allclose(pcc(TRUTH, -TRUTH), -1)


def test_errors_by_hand():
    truth = np.array([[0.0, 1], [2, 1], [4, 1]])
    predicted = np.array([[1.0, 1], [2, 3], [1, 1]])
    np.testing.assert_allclose(mse(truth, predicted), [10 / 3, 4 / 3])
    np.testing.assert_allclose(mae(truth, predicted), [4 / 3, 2 / 3])
    np.testing.assert_allclose(r2(truth, predicted, train_mean=[1.0, 0.0]), [1 - 10 / 11, 1 - 4 / 3])


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
