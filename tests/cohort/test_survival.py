"""Statistics of follow-up: by hand, against the count of every pair, against published libraries' numbers."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from mclstexp.cohort.slope import calibration_slope
from mclstexp.cohort.survival.brier import brier, integrated_brier
from mclstexp.cohort.survival.calibration import calibration_groups, observed_over_expected
from mclstexp.cohort.survival.censoring import censoring_survival, usual_tau
from mclstexp.cohort.survival.concordance import harrell, uno, within_folds
from mclstexp.cohort.survival.dynamic_auc import dynamic_auc, mean_auc
from mclstexp.cohort.survival.kaplan_meier import kaplan_meier, median_follow_up
from mclstexp.cohort.survival.log_rank import log_rank
from mclstexp.cohort.survival.nelson_aalen import nelson_aalen
from mclstexp.cohort.survival.resampled import draw_patients, drawn_concordance, interval, two_sided_p
from mclstexp.core.cohort import Outcomes
from mclstexp.core.errors import InputError

TIME, EVENT, RISK = [2.0, 4, 4, 6], [1, 1, 1, 0], [0.5, 1, -0.5, 0]


def _slope(time, event, risk, *, fold):
    ids = tuple(f"P{number}" for number in range(len(time)))
    outcomes = Outcomes.survival(ids, time=np.asarray(time, float), event=np.asarray(event, bool))
    return calibration_slope(outcomes, np.asarray(risk, float), fold=fold)


def made(n, *, seed=0, ties=True, censored=0.5):
    """Follow-up and risks that say something of it."""
    rng = np.random.default_rng(seed)
    risk = np.round(rng.normal(size=n), 1) if ties else rng.normal(size=n)
    time, end = rng.exponential(10 * np.exp(-risk)), rng.exponential(20, n) if censored else np.full(n, np.inf)
    seen = np.minimum(time, end)
    return (np.ceil(seen) if ties else seen), (time <= end).astype(float), risk


def by_every_pair(time, event, risk, weight=None):
    right, tied, pairs = 0.0, 0.0, 0.0
    for i in np.flatnonzero(event):
        for j in range(len(time)):
            if time[j] > time[i] or (time[j] == time[i] and not event[j]):
                w = 1.0 if weight is None else weight[i]
                same = abs(risk[i] - risk[j]) <= 1e-8
                right, tied, pairs = right + w * (not same and risk[i] > risk[j]), tied + w * same, pairs + w
    return right, tied, pairs


def test_by_hand():
    km = kaplan_meier(TIME, EVENT)
    np.testing.assert_allclose(km.curve.at([1, 2, 3, 4, 7]), [1, 0.75, 0.75, 0.25, 0.25])
    assert km.median == 4
    np.testing.assert_array_equal(km.at_risk([0, 2, 2.5, 4, 6, 7]), [4, 4, 3, 3, 1, 0])
    counted = harrell(TIME, EVENT, RISK)
    assert (counted.concordant, counted.tied, counted.comparable, counted.c) == (3, 0, 5, 0.6)
    np.testing.assert_allclose(nelson_aalen(TIME, EVENT).at([2, 4]), [1 / 4, 1 / 4 + 2 / 3])
    assert median_follow_up(TIME, EVENT) == 6


def test_two_events_at_one_time_are_no_pair_and_a_censoring_there_comes_later():
    assert harrell([3, 3], [1, 1], [1, 0]).comparable == 0
    assert np.isnan(harrell([3, 3], [1, 1], [1, 0]).c)
    assert harrell([3, 3], [1, 0], [1, 0]).c == 1
    assert harrell([3, 3], [1, 0], [0, 1]).c == 0


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 60, 129])
def test_counts_are_those_of_every_pair(n):
    for seed in range(4):
        time, event, risk = made(n, seed=seed)
        assert vars(harrell(time, event, risk)) == dict(
            zip(("concordant", "tied", "comparable"), by_every_pair(time, event, risk), strict=True)
        )


def test_ranks_turned_round_turn_the_concordance_round():
    time, event, risk = made(80, ties=False)
    assert harrell(time, event, -risk).c == pytest.approx(1 - harrell(time, event, risk).c)


def test_uno_is_harrell_where_nobody_is_censored():
    time, event, risk = made(90, censored=0)
    watched = censoring_survival(time, event)
    assert uno(time, event, risk, censoring=watched, tau=np.inf).c == pytest.approx(harrell(time, event, risk).c)


def test_folds_are_compared_within_themselves():
    time, event, risk = made(80)
    first = np.arange(80) < 30
    parts = [harrell(time[mine], event[mine], risk[mine]) for mine in (first, ~first)]
    moved = risk + 100 * first  # two fits, two scales
    draws = np.ones((1, 80))
    drawn = drawn_concordance(time, event, moved, fold=first, draws=draws)
    assert drawn[0] == pytest.approx(within_folds(parts).c)


def test_a_draw_is_the_concordance_of_the_patients_drawn():
    time, event, risk = made(50)
    draws = draw_patients(np.zeros(50), n_draws=6)
    assert (draws.sum(axis=1) == 50).all()
    drawn = drawn_concordance(time, event, risk, fold=np.zeros(50), draws=draws)
    for one, value in zip(draws, drawn, strict=True):
        rows = np.repeat(np.arange(50), one.astype(int))
        assert value == pytest.approx(harrell(time[rows], event[rows], risk[rows]).c)


def test_draws_keep_folds_and_sites_together():
    fold, site = np.repeat([0, 1], 30), np.repeat(np.arange(12), 5)
    draws = draw_patients(fold, n_draws=20)
    assert (draws[:, :30].sum(axis=1) == 30).all()
    of_site = draw_patients(fold, units=site, n_draws=20).reshape(20, 12, 5)
    assert (of_site == of_site[:, :, :1]).all()
    assert (of_site[:, :6, 0].sum(axis=1) == 6).all()
    with pytest.raises(InputError, match="10 sites or more expected to draw sites, found 4: draw patients"):
        draw_patients(fold, units=np.arange(60) % 4)


def test_intervals_cover():
    # the concordance of very many such patients
    truth = harrell(*made(40_000, seed=1000, ties=False)).c
    held = 0
    for seed in range(200):
        time, event, risk = made(120, seed=seed, ties=False)
        fold = np.arange(120) % 3
        draws = draw_patients(fold, n_draws=200, seed=seed)
        found = interval(0.0, drawn_concordance(time, event, risk, fold=fold, draws=draws))
        held += found.low <= truth <= found.high
    assert 180 <= held <= 196


def test_p_of_a_difference():
    assert two_sided_p(np.full(1999, 0.1)) == pytest.approx(2 / 2000)
    assert two_sided_p(np.linspace(-1, 1, 1999)) == pytest.approx(1, abs=0.002)
    assert two_sided_p(np.zeros(10)) == 1
    assert np.isnan(two_sided_p(np.full(3, np.nan)))


def test_log_rank_of_folds_compares_within_them():
    time, event, _ = made(120, seed=3)
    group, fold = np.arange(120) % 2, np.arange(120) // 60
    slow = np.where(fold == 1, time * 5, time)
    test = log_rank(slow, event, group, strata=fold)
    alone = [log_rank(slow[fold == f], event[fold == f], group[fold == f]) for f in (0, 1)]
    assert test.observed == pytest.approx(np.sum([one.observed for one in alone], axis=0))
    assert test.expected == pytest.approx(np.sum([one.expected for one in alone], axis=0))
    with pytest.raises(InputError, match="two groups or more expected, found 1"):
        log_rank(time, event, np.ones(120))


def test_three_groups_have_two_degrees():
    time, event, _ = made(90)
    test = log_rank(time, event, np.arange(90) % 3)
    assert test.degrees == 2
    assert sum(test.observed) == pytest.approx(event.sum())
    assert sum(test.expected) == pytest.approx(event.sum())


def test_true_survival_has_the_least_brier_score():
    rng = np.random.default_rng(0)
    n, at = 20_000, np.array([2.0, 5, 10, 20])
    rate = np.exp(rng.normal(size=n)) / 10
    time, end = rng.exponential(1 / rate), rng.exponential(30, n)
    seen, event = np.minimum(time, end), (time <= end).astype(float)
    watched = censoring_survival(seen, event)
    true = np.exp(-rate[:, None] * at)

    def integrated(power):
        return integrated_brier(brier(seen, event, true**power, at=at, censoring=watched), at=at)

    assert integrated(1.0) < min(integrated(power) for power in (0.6, 0.8, 1.25, 1.6))
    slope = _slope(seen, event, np.log(rate) * 2, fold=np.zeros(n))
    assert slope == pytest.approx(0.5, abs=0.02)
    assert observed_over_expected(seen, event, rate * seen) == pytest.approx(1, abs=0.03)
    groups = calibration_groups(seen, event, true[:, 1], at=5.0)
    assert list(groups["n"]) == [4000] * 5
    assert (groups["predicted"] - groups["observed"]).abs().max() < 0.03
    assert ((groups["low"] < groups["observed"]) & (groups["observed"] < groups["high"])).all()


def test_calibration_says_nothing_where_nothing_can_be_said():
    time, event, _ = made(40)
    assert np.isnan(_slope(time, event, np.zeros(40), fold=np.zeros(40)))
    assert np.isnan(_slope(time, event * 0, time, fold=np.zeros(40)))
    assert np.isnan(_slope([1.0, 2, 3, 4], [1, 1, 1, 1], [4.0, 3, 2, 1], fold=np.zeros(4)))
    one_group = calibration_groups(time, event, np.full(40, 0.5), at=3.0)
    assert len(one_group) == 1
    beyond = calibration_groups(time, np.zeros(40), np.full(40, 0.5), at=1e6)
    assert beyond["observed"].isna().all()


def test_areas_of_times_without_cases_or_controls_are_unknown():
    watched = censoring_survival(TIME, EVENT)
    np.testing.assert_array_equal(np.isnan(dynamic_auc(TIME, EVENT, RISK, at=[1, 3, 9], censoring=watched)), [1, 0, 1])


@pytest.mark.parametrize(
    ("time", "event", "said"),
    [
        ([1, 0], [1, 0], "follow-up times above 0 expected, found 0.0"),
        ([1, -3], [1, 0], "follow-up times above 0 expected, found -3.0"),
        ([1, np.nan], [1, 0], "follow-up times above 0 expected, found nan"),
        ([1, 2], [1, 2], r"events of 1 \(observed\) or 0 \(censored\) expected, found 2.0"),
        ([1, 2], [1], r"one time and one event of each patient expected, found shapes \(2,\) and \(1,\)"),
        ([], [], "one time and one event of each patient expected"),
    ],
)
def test_what_is_no_follow_up_is_refused(time, event, said):
    for function in (kaplan_meier, nelson_aalen, censoring_survival):
        with pytest.raises(InputError, match=said):
            function(time, event)


def test_risks_that_are_none_are_refused():
    with pytest.raises(InputError, match="one finite risk of each of 4 patients expected"):
        harrell(TIME, EVENT, [1, 2, np.nan, 3])
    with pytest.raises(InputError, match="shares from 0 to 1 of 4 patients at 2 times expected"):
        brier(TIME, EVENT, np.full((4, 2), 1.5), at=[1, 2], censoring=censoring_survival(TIME, EVENT))


def test_thousands_of_patients_take_no_time():
    time, event, risk = made(100_000, ties=False)
    assert 0.6 < harrell(time, event, risk).c < 0.8  # 10¹⁰ pairs


@pytest.mark.data
def test_published_libraries_say_the_same(parity_dir):
    d = load_file(parity_dir / "survival_reference" / "reference.safetensors")
    time, event, risk, at = d["test_time"], d["test_event"], d["test_risk"], d["eval_times"]
    watched = censoring_survival(d["train_time"], d["train_event"])

    def same(mine, theirs):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)

    counted = harrell(time, event, risk)
    same([counted.c, counted.concordant, counted.tied], d["harrell_sksurv"][[0, 1, 3]])
    same(counted.c, d["harrell_lifelines"][0])
    same(watched.at(time), d["censoring_survival_at_test_time"])
    for tau in (10, 15):
        same(uno(time, event, risk, censoring=watched, tau=tau).c, d[f"uno_tau{tau}"][0])
    areas = dynamic_auc(time, event, risk, at=at, censoring=watched)
    same(areas, d["auc"])
    same(mean_auc(areas, time, event, at=at), d["auc_mean"][0])
    scores = brier(time, event, d["test_survival"], at=at, censoring=watched)
    same(scores, d["brier"])
    same(integrated_brier(scores, at=at), d["ibs"][0])
    km = kaplan_meier(d["train_time"], d["train_event"])
    same(km.survival, d["km_survival"])
    same(km.low, d["km_ci_lower"][1:])
    same(km.high, d["km_ci_upper"][1:])
    assert km.median == d["km_median"][0]
    same(nelson_aalen(d["train_time"], d["train_event"]).values, d["na_cumhaz"][1:])
    test = log_rank(time, event, d["logrank_group"])
    np.testing.assert_allclose([test.statistic, test.p], d["logrank_stat_p"], rtol=1e-9)
    log_risk = d["train_x"] @ d["cox_efron_coef"]
    assert _slope(d["train_time"], d["train_event"], log_risk, fold=np.zeros(60)) == pytest.approx(1)


def test_inverse_weights_end_where_hardly_anybody_is_left():
    time, event, _ = made(300)
    tau = usual_tau(time, event)
    table = pd.Series(time)
    assert (table >= tau).mean() >= 0.1
    assert (table > tau).mean() < 0.1 or censoring_survival(time, event).at(tau + 1)[0] <= 0.05
