"""Risk groups, ROC curves and calibration as an evaluation writes them."""

import numpy as np
import pandas as pd
import pytest

from mclstexp.cohort.risk_groups import parted, risk_group_curves
from mclstexp.cohort.roc import roc_curve, roc_curves
from mclstexp.cohort.survival.calibration import calibration_of_yes
from mclstexp.cohort.survival.concordance import harrell, within_folds
from mclstexp.cohort.survival.kaplan_meier import kaplan_meier
from mclstexp.cohort.survival.log_rank import log_rank


def made_answers(n=120, *, repeats=1, seed=0):
    rng = np.random.default_rng(seed)
    tables = []
    for repeat in range(1, repeats + 1):
        risk = np.round(rng.normal(size=n), 1)
        table = pd.DataFrame({"patient": range(n), "repeat": repeat, "fold": rng.integers(0, 4, n), "method": "m"})
        time = rng.exponential(np.exp(-risk)) + 0.01
        group = np.where(risk > 0, "high", "low")
        tables.append(table.assign(risk=risk, group=group, time_months=time, event=rng.integers(0, 2, n)))
    return pd.concat(tables, ignore_index=True)


def test_curves_are_kaplan_meiers_of_each_group_and_begin_with_everybody():
    answers = made_answers(repeats=2)
    curves = risk_group_curves(answers)
    first = answers[answers["repeat"] == 1]
    for group in ("high", "low"):
        mine, curve = first[first["group"] == group], curves[curves["group"] == group]
        km = kaplan_meier(mine["time_months"], mine["event"])
        assert curve.iloc[0][["months", "at_risk", "survival"]].tolist() == [0, len(mine), 1]
        np.testing.assert_allclose(curve["survival"].iloc[1:], km.survival)
        assert curve["events"].sum() == mine["event"].sum()
    found = parted(answers)
    alone = log_rank(first["time_months"], first["event"], first["group"], strata=first["fold"])
    assert (found["log_rank"], found["log_rank_p"]) == (alone.statistic, alone.p)
    assert found["hazard_ratio"] > 1


def test_one_group_and_other_outcomes_part_nobody():
    answers = made_answers()
    assert np.isnan(parted(answers.assign(group="low"))["log_rank_p"])
    assert risk_group_curves(answers.drop(columns=["time_months", "event"])).empty


def test_the_area_under_a_roc_curve_is_c_within_folds():
    rng = np.random.default_rng(1)
    answers = made_answers(200, repeats=3).drop(columns=["time_months", "event"])
    answers["truth"] = (answers["risk"] + rng.logistic(size=len(answers)) > 0).astype(int)
    curve = roc_curves(answers)
    area = np.trapezoid(curve["true_positive"], curve["false_positive"])
    ways = [
        within_folds(
            harrell(np.where(one["truth"] == 1, 1.0, 2.0), one["truth"], one["risk"]) for _, one in of.groupby("fold")
        ).c
        for _, of in answers.groupby("repeat")
    ]
    assert area == pytest.approx(np.mean(ways), abs=1e-12)
    assert curve[["false_positive", "true_positive"]].iloc[[0, -1]].to_numpy().tolist() == [[0, 0], [1, 1]]
    assert (np.diff(curve["true_positive"]) >= -1e-12).all()


def test_a_roc_curve_by_hand_ties_go_aslant():
    false, true = roc_curve(np.array([1.0, 0, 1, 0]), np.array([3.0, 2, 2, 1]))
    assert list(zip(false, true, strict=True)) == [(0, 0), (0, 0.5), (0.5, 1), (1, 1)]


def test_a_fold_with_one_answer_alone_has_no_curve():
    answers = pd.DataFrame(
        {"repeat": 1, "fold": ["a", "a", "b"], "method": "m", "risk": [1.0, 0, 3], "truth": [1, 0, 1]}
    )
    assert len(roc_curves(answers))
    assert roc_curves(answers[answers["fold"] == "b"]).empty
    assert roc_curves(answers.assign(truth=[0.5, 1, 2])).empty


def test_shares_of_yes_stand_beside_what_was_foretold():
    said = np.repeat([0.1, 0.3, 0.5, 0.7, 0.9], 20)
    truth = np.concatenate([np.arange(20) < round(20 * p) for p in (0.1, 0.3, 0.5, 0.7, 0.9)]).astype(float)
    groups = calibration_of_yes(truth, said)
    np.testing.assert_allclose(groups["observed"], groups["predicted"])
    assert ((groups["low"] < groups["observed"]) & (groups["observed"] < groups["high"])).all()
    assert groups["n"].sum() == 100
    # Wilson's interval of 2 of 20, by hand
    assert groups.iloc[0][["low", "high"]].tolist() == pytest.approx([0.0279, 0.3010], abs=2e-4)
