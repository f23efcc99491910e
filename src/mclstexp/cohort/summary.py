"""The table of a comparison on a cohort: how well each model ranks, how sure that is, what it adds to the clinic."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.cohort.checks import as_follow_up
from mclstexp.cohort.risk_groups import parted
from mclstexp.cohort.slope import calibration_slope
from mclstexp.cohort.survival.concordance import harrell, within_folds
from mclstexp.cohort.survival.resampled import draw_patients, drawn_concordance, interval, two_sided_p
from mclstexp.core.cohort import Outcomes
from mclstexp.evaluation.resampling import holm

Drawn = Float[np.ndarray, " n_draws"]
DIFFERENCE: Final = ("difference", "difference_low", "difference_high", "p", "holm")
"""Columns of what a model adds to the baseline."""


def summarise_outcome(
    scores: pd.DataFrame,
    answers: pd.DataFrame,
    *,
    baseline: str = "clinical",
    draws: int = 2000,
    unit: str = "patient",
    seed: int = 0,
) -> pd.DataFrame:
    """Summarise a comparison.

    Parameters
    ----------
    scores
        Tidy scores of each fold.
    answers
        A row for each model, repeat and patient, as ``predictions.csv`` has them.
    baseline
        The model that others are held against.
    draws, unit, seed
        Of the intervals: test patients (or sites) drawn anew within folds, predictions as they are. How much another
        training set would have moved them is no part of it; "c_split_sd" says what another division does.

    Returns
    -------
    A row per model, best first: "c" (pairs within folds of all folds together; mean over repeats) with "c_low" and
    "c_high", "c_fold_mean" and "c_fold_sd" (population), "c_split_sd", "uno_c" and "tau" (months), "auc", "index"
    (1 - error / error of the training mean or curve), "slope", "observed_expected", "log_rank", "log_rank_p" and
    "hazard_ratio" of its risk groups, `DIFFERENCE` to the baseline with p and Holm's correction over all others,
    "events_per_parameter", "n_failed" folds and "reason".
    """
    order = [str(name) for name in dict.fromkeys(scores["method"])]
    failed = scores[scores["metric"] == "failed"].astype({"method": str}).groupby("method")
    n_failed, reasons = failed.size(), failed["reason"].first()
    whole = [name for name in order if name not in n_failed.index]
    drawn = _drawn(answers[answers["method"].isin(whole)], whole, draws=draws, unit=unit, seed=seed)
    rows = {}
    for name in order:
        row = _of_folds(scores[scores["method"] == name])
        if name in whole:
            row |= _of_answers(answers[answers["method"] == name], drawn[name])
        row["n_failed"] = int(n_failed.get(name, 0))
        row["reason"] = str(reasons.get(name, ""))
        rows[name] = row
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "method"
    table = _with_differences(table, drawn, baseline=baseline)
    if "c" not in table:
        return table.assign(c=np.nan)
    return table.sort_values("c", ascending=False, kind="stable")


def _of_folds(scores: pd.DataFrame) -> dict[str, Any]:
    """Return what is averaged over folds, each weighing what it has."""
    wide = scores.pivot_table(index="fold", columns="metric", values="value", observed=True)
    row: dict[str, Any] = {"kind": str(scores["kind"].iloc[0]), "tuned": bool(scores["tuned"].any())}
    if "c" not in wide:
        return row
    row |= {"c_fold_mean": wide["c"].mean(), "c_fold_sd": wide["c"].std(ddof=0)}
    error, null = (float((wide[name] * wide["n_test"]).sum()) for name in ("error", "error_null"))
    row["index"] = 1 - error / null if null > 0 else np.nan
    for name, weight in (("uno_c", "uno_pairs"), ("auc", "n_test")):
        if name in wide:
            known = wide[name].notna()
            row[name] = np.average(wide.loc[known, name], weights=wide.loc[known, weight]) if known.any() else np.nan
    if "tau" in wide:
        row["tau"] = wide["tau"].median()
    if "expected" in wide:
        row["observed_expected"] = wide["observed"].sum() / wide["expected"].sum()
    row["n_parameters"] = wide["n_parameters"].max()
    many = row["n_parameters"]
    row["events_per_parameter"] = wide["events_train"].min() / many if many else np.nan
    return row | {name: wide[name].mean() for name in ("seconds", "peak_mib") if name in wide}


def _of_answers(answers: pd.DataFrame, drawn: Drawn) -> dict[str, Any]:
    ways = []
    for _, of in answers.groupby("repeat"):
        parts = [harrell(*as_follow_up(outcomes_of(one)), one["risk"]) for _, one in of.groupby("fold", sort=False)]
        ways.append(within_folds(parts).c)
    found = interval(float(np.mean(ways)), drawn)
    first = answers[answers["repeat"] == answers["repeat"].min()]
    return {
        "c": found.value,
        "c_low": found.low,
        "c_high": found.high,
        "c_split_sd": float(np.std(ways, ddof=1)) if len(ways) > 1 else np.nan,
        "slope": calibration_slope(outcomes_of(first), first["risk"].to_numpy(np.float64), fold=first["fold"]),
        "n_patients": len(first),
        "n_events": outcomes_of(first).n_events,
        **parted(answers),
    }


def outcomes_of(answers: pd.DataFrame) -> Outcomes:
    """Return what came, of the patients of one model in one repeat."""
    ids = [str(name) for name in answers["patient"]]
    if "time_months" in answers:
        return Outcomes.survival(ids, time=answers["time_months"], event=answers["event"])
    truth = answers["truth"].to_numpy(np.float64)
    return Outcomes.binary(ids, truth) if np.isin(truth, (0, 1)).all() else Outcomes.continuous(ids, truth)


def _drawn(answers: pd.DataFrame, labels: list[str], *, draws: int, unit: str, seed: int) -> dict[str, Drawn]:
    """Return the concordance of each draw, mean over repeats; all models see the same draws."""
    if not labels:
        return {}
    first = answers[(answers["method"] == labels[0]) & (answers["repeat"] == answers["repeat"].min())]
    first = first.set_index("patient").sort_index()
    units = first["site"] if unit == "site" else None
    weights = pd.DataFrame(draw_patients(first["fold"], units=units, n_draws=draws, seed=seed), columns=first.index)
    found = {}
    for label in labels:
        mine = answers[answers["method"] == label]
        ways = [
            drawn_concordance(
                *as_follow_up(outcomes_of(of)),
                of["risk"],
                fold=of["fold"],
                draws=weights[list(of["patient"])].to_numpy(np.float64),
            )
            for _, of in mine.groupby("repeat")
        ]
        found[label] = np.mean(ways, axis=0)
    return found


def _with_differences(table: pd.DataFrame, drawn: dict[str, Drawn], *, baseline: str) -> pd.DataFrame:
    for name in DIFFERENCE:
        table[name] = np.nan
    # what ranks nobody is a yardstick of error, and no rival
    rivals = [name for name in drawn if name != baseline and table["n_parameters"][name] > 0]
    others = rivals if baseline in drawn else []
    for name in others:
        off = drawn[name] - drawn[baseline]
        found = interval(float(table["c"][name]) - float(table["c"][baseline]), off)
        table.loc[name, list(DIFFERENCE[:4])] = [found.value, found.low, found.high, two_sided_p(off)]
    table["holm"] = holm(table["p"])
    return table
