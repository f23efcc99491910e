"""Cox's likelihood and penalised regression: by hand, by derivatives, and as others have them."""

import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy.optimize import approx_fprime
from sklearn.linear_model import LogisticRegression, Ridge

from mclstexp.cohort.regression.cox import Cox
from mclstexp.cohort.regression.elastic_net import elastic_net, penalty_path
from mclstexp.cohort.regression.likelihood import Gaussian, Logistic
from mclstexp.cohort.regression.ridge import ridge

SCORES = np.array([0.5, 1, -0.5, 0])


def by_hand(ties, **how):
    return Cox(np.array([2.0, 4, 4, 6]), np.array([True, True, True, False]), ties=ties, **how)


def made(n=120, p=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    time = np.ceil(8 * rng.exponential(np.exp(-x[:, 0] + 0.5 * x[:, 1])))  # many ties
    return x, time, rng.random(n) < 0.7


@pytest.mark.parametrize(("ties", "loss"), [("breslow", 3.716075), ("efron", 3.230937)])
def test_four_patients_by_hand(ties, loss):
    assert -by_hand(ties).value(SCORES) == pytest.approx(loss, abs=2e-6)
    assert -by_hand(ties).value(SCORES + 1000) == pytest.approx(loss, abs=2e-6), "a constant says nothing"
    order = [2, 0, 3, 1]
    assert -by_hand(ties).of(np.array(order)).value(SCORES[order]) == pytest.approx(loss, abs=2e-6)
    censored_at_4 = Cox(np.array([2.0, 4, 4, 4]), np.array([True, True, True, False]), ties=ties)
    assert -censored_at_4.value(SCORES) == pytest.approx(loss, abs=2e-6)


def test_nobody_with_an_event_and_everybody_alone_say_nothing():
    assert Cox(np.array([1.0, 2]), np.array([False, False])).value(np.array([3.0, 1])) == 0
    alone = by_hand("efron", strata=np.arange(4))
    assert alone.value(SCORES) == 0
    assert not alone.slope(np.eye(4), SCORES).gradient.any()


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("strata", [None, np.arange(120) % 3])
def test_derivatives_are_those_of_the_value(ties, strata):
    x, time, event = made()
    cox = Cox(time, event, strata, ties)
    beta = np.array([0.3, -0.2, 0.5, 0, 1])
    slope = cox.slope(x, x @ beta)
    assert slope.value == pytest.approx(cox.value(x @ beta))
    np.testing.assert_allclose(slope.gradient, approx_fprime(beta, lambda b: cox.value(x @ b), 1e-6), rtol=1e-3)
    for k, row in enumerate(slope.information):
        along = approx_fprime(beta, lambda b, k=k: cox.slope(x, x @ b).gradient[k], 1e-6)
        np.testing.assert_allclose(-row, along, rtol=1e-3, atol=1e-3)


def test_strata_add_up():
    x, time, event = made()
    strata = np.arange(120) % 3
    parts = sum(Cox(time[strata == s], event[strata == s]).value(x[strata == s, 0]) for s in range(3))
    assert Cox(time, event, strata).value(x[:, 0]) == pytest.approx(parts)


def test_ridge_ends_where_the_gradient_vanishes_with_a_free_column_and_with_more_columns_than_patients():
    x, time, event = made(n=60, p=90)
    cox, penalty = Cox(time, event), np.r_[0, np.full(44, 2.0), np.full(45, 30.0)]
    beta = ridge(cox, x, penalty)
    np.testing.assert_allclose(cox.slope(x, x @ beta).gradient, penalty * beta, atol=1e-5)
    few = ridge(cox, x[:, :5], penalty[:5])
    np.testing.assert_allclose(cox.slope(x[:, :5], x[:, :5] @ few).gradient, penalty[:5] * few, atol=1e-6)


def test_free_columns_that_tell_all_apart_or_say_the_same_are_survived():
    time, event = np.arange(1.0, 31), np.ones(30, bool)
    with pytest.warns(UserWarning, match="tell the outcomes of the training patients apart without error"):
        beta = ridge(Cox(time, event), -time[:, None], np.zeros(1))
    assert np.isfinite(beta).all()
    x, time, event = made()
    twice = ridge(Cox(time, event), x[:, [0, 0]], np.zeros(2))
    assert twice.sum() == pytest.approx(ridge(Cox(time, event), x[:, [0]], np.zeros(1)).item(), rel=1e-5)


def test_yes_or_no_and_numbers_as_scikit_learn_has_them():
    x, time, event = made()
    with_one = np.column_stack([np.ones(len(x)), x])
    penalty = np.r_[0, np.full(5, 3.0)]
    theirs = LogisticRegression(C=1 / 3, tol=1e-10).fit(x, event)
    ours = ridge(Logistic(event.astype(float)), with_one, penalty)
    np.testing.assert_allclose(ours, np.r_[theirs.intercept_, theirs.coef_[0]], atol=1e-5)
    theirs = Ridge(alpha=3).fit(x, time)
    np.testing.assert_allclose(ridge(Gaussian(time), with_one, penalty), np.r_[theirs.intercept_, theirs.coef_])


@pytest.mark.parametrize("n_free", [0, 1])
def test_the_elastic_net_meets_its_conditions(n_free):
    x, time, event = made(n=90, p=12)
    cox, free, r = Cox(time, event), np.r_[np.ones(n_free), np.zeros(12 - n_free)], 0.5
    path = penalty_path(cox, x, l1_ratio=r, free=free)
    found = elastic_net(cox, x, path[[0, 10, 30, 49]], l1_ratio=r, free=free)
    assert not found[0, n_free:].any(), "at the largest penalty no held column counts"
    assert found[1, n_free:].any()
    for a, beta in zip(path[[0, 10, 30, 49]], found, strict=True):
        pull = cox.slope(x, x @ beta).gradient / len(x)
        on = (beta != 0) & (free == 0)
        np.testing.assert_allclose(pull[on], a * ((1 - r) * beta[on] + r * np.sign(beta[on])), atol=1e-6)
        assert (np.abs(pull[(beta == 0) & (free == 0)]) <= a * r + 1e-6).all()
        np.testing.assert_allclose(pull[free > 0], 0, atol=1e-6)


@pytest.mark.data
def test_the_reference_is_met(parity_dir):
    path = parity_dir / "survival_reference" / "reference.safetensors"
    if not path.is_file():
        pytest.skip(f"no {path}")
    ref = load_file(path)
    x, time, event = (ref[f"train_{part}"].astype(float) for part in ("x", "time", "event"))
    event = event.astype(bool)
    free, ones = np.zeros(x.shape[1]), np.ones(x.shape[1])
    breslow, efron = Cox(time, event, ties="breslow"), Cox(time, event)
    np.testing.assert_allclose(ridge(breslow, x, free), ref["cox_breslow_coef"], rtol=1e-4)
    np.testing.assert_allclose(ridge(efron, x, free), ref["cox_efron_coef"], rtol=1e-4)
    np.testing.assert_allclose(ridge(breslow, x, ones), ref["cox_ridge_alpha1_coef"], rtol=1e-4)
    found = elastic_net(breslow, x, ref["coxnet_alphas"].astype(float), l1_ratio=0.5, free=free)
    np.testing.assert_allclose(found.T, ref["coxnet_coef"], atol=1e-5)


def test_lifelines_says_the_same():
    lifelines = pytest.importorskip("lifelines", reason="lifelines is not installed")
    import pandas as pd

    x, time, event = made()
    frame = pd.DataFrame(x, columns=list("abcde")).assign(time=time, event=event, stratum=np.arange(120) % 3)
    for strata in (None, "stratum"):
        used = frame if strata else frame.drop(columns="stratum")
        for penalty in (0.0, 0.02):
            fitter = lifelines.CoxPHFitter(penalizer=penalty, l1_ratio=0).fit(used, "time", "event", strata=strata)
            cox = Cox(time, event, frame["stratum"].to_numpy() if strata else None)
            # theirs is a mean over patients, of columns by their spread
            held = penalty * len(x) * x.var(axis=0, ddof=1)
            np.testing.assert_allclose(ridge(cox, x, held), fitter.params_, rtol=1e-3, atol=1e-4)
