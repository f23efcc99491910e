"""How a model's answer on one fold is marked, for each kind of outcome; all else is learnt on its training side."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

from mclstexp.cohort.checks import as_follow_up
from mclstexp.cohort.survival.brier import brier, integrated_brier
from mclstexp.cohort.survival.censoring import censoring_survival, usual_tau
from mclstexp.cohort.survival.concordance import harrell, uno
from mclstexp.cohort.survival.dynamic_auc import dynamic_auc, mean_auc
from mclstexp.cohort.survival.follow_up import Steps
from mclstexp.cohort.survival.kaplan_meier import kaplan_meier
from mclstexp.core.cohort import Outcomes
from mclstexp.core.errors import InputError
from mclstexp.core.outcome_model import OutcomeModel
from mclstexp.core.outcome_prediction import Prediction

HORIZONS: Final = "horizons"
"""Entry of a model's provenance: months at which it is asked for survival unasked."""
USUAL_HORIZONS: Final = (12.0, 36.0, 60.0)
"""Months at which survival is looked at, where a tenth of the patients is still at risk."""
_AT_RISK: Final = 0.1
_MOST_TIMES: Final = 200
_LEAST_SHARE: Final = 1e-12


def horizons_of(outcomes: Outcomes) -> tuple[float, ...]:
    """Return months at which survival is looked at: one, three and five years, or else deciles of event times."""
    if outcomes.time is None or outcomes.event is None or not outcomes.event.any():
        return ()
    usual = tuple(u for u in USUAL_HORIZONS if (outcomes.time >= u).mean() >= _AT_RISK)
    return usual or tuple(np.unique(np.quantile(outcomes.time[outcomes.event], np.arange(1, 10) / 10)).tolist())


def asked_times(train: Outcomes, horizons: Sequence[float]) -> tuple[float, ...]:
    """Return months at which a model is asked for survival: those of training events, 200 at most, and the horizons."""
    if train.time is None or train.event is None:
        return ()
    events = np.unique(train.time[train.event])
    if len(events) > _MOST_TIMES:
        events = events[np.unique(np.linspace(0, len(events) - 1, _MOST_TIMES).round().astype(int))]
    return tuple(np.union1d(events, horizons).tolist())


def mark(said: Prediction, test: Outcomes, *, train: Outcomes, horizons: Sequence[float]) -> dict[str, float]:
    """Mark a model's answer.

    Parameters
    ----------
    said
        Of the test patients, survival at `asked_times`.
    test, train
        Outcomes of the two sides; the training side gives the weights of those lost from sight, and the yardstick.
    horizons
        Months at which areas and Brier scores are taken.

    Returns
    -------
    Metrics by name. "c" (with its "pairs"), "error" and "error_null" (integrated Brier score, Brier score or mean
    square; of the model, and of the training mean or Kaplan-Meier curve), "n_test", "events_test"; of survival
    "uno_c" (with "uno_pairs" and "tau"), "auc", "expected" events and those "observed" until then, "auc_12", ….
    """
    time, event = as_follow_up(test)
    counted = harrell(time, event, said.risk)
    marks = {
        "c": counted.c,
        "pairs": counted.comparable,
        "n_test": float(len(test)),
        "events_test": float(test.n_events),
    }
    if test.kind == "survival":
        return marks | _survival(said, test, train, horizons)
    assert test.value is not None
    assert train.value is not None
    assert said.value is not None
    error, null = ((test.value - foretold) ** 2 for foretold in (said.value, train.value.mean()))
    marks |= {"error": float(error.mean()), "error_null": float(null.mean())}
    if test.kind == "binary":
        marks |= {"expected": float(said.value.sum()), "observed": float(test.value.sum())}
    return marks


def _survival(said: Prediction, test: Outcomes, train: Outcomes, horizons: Sequence[float]) -> dict[str, float]:
    assert test.time is not None
    assert test.event is not None
    assert train.time is not None
    assert train.event is not None
    assert said.survival is not None
    time, event = test.time, test.event
    watched, tau = censoring_survival(train.time, train.event), usual_tau(train.time, train.event)
    counted = uno(time, event, said.risk, censoring=watched, tau=tau)
    marks = {"uno_c": counted.c, "uno_pairs": counted.comparable, "tau": tau}
    areas = dynamic_auc(time, event, said.risk, at=horizons, censoring=watched)
    marks |= {f"auc_{u:g}": float(area) for u, area in zip(horizons, areas, strict=True)}
    known = np.isfinite(areas)
    marks["auc"] = mean_auc(areas[known], time, event, at=np.asarray(horizons)[known]) if known.any() else np.nan
    at = np.asarray(said.at_months)
    null = np.broadcast_to(kaplan_meier(train.time, train.event).curve.at(at), said.survival.shape)
    used = at <= tau
    for name, shares in (("error", said.survival), ("error_null", null)):
        scores = brier(time, event, np.clip(shares, 0, 1), at=at, censoring=watched)
        marks[name] = integrated_brier(scores[used], at=at[used]) if used.any() else np.nan
        if name == "error":
            marks |= {f"brier_{u:g}": float(scores[at == u][0]) for u in horizons}
    within = time <= at[-1]
    marks["expected"] = float(_hazards(said.survival, at, np.minimum(time, at[-1])).sum())
    marks["observed"] = float((event & within).sum())
    return marks


def _hazards(
    survival: Float[np.ndarray, "n n_times"], at: Float[np.ndarray, " n_times"], time: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Return each patient's cumulative hazard at the end of follow-up."""
    hazard = -np.log(np.maximum(survival, _LEAST_SHARE))
    return np.array([Steps(at, own, 0.0).at(t)[0] for own, t in zip(hazard, time, strict=True)])


def asked_months(fitted: OutcomeModel, asked: Sequence[float]) -> tuple[float, ...]:
    """Return the times at which survival is asked for; says aloud which lie beyond all events that were learnt."""
    months = tuple(dict.fromkeys(asked)) or tuple(fitted.provenance_.get(HORIZONS, ()))
    if any(not 0 < month < math.inf for month in months):
        msg = f"times above 0 (months) expected, found {list(months)}"
        raise InputError(msg)
    last = None if fitted.baseline_ is None else float(fitted.baseline_.times.max())
    if last is not None and (late := [month for month in asked if month > last]):
        text = f"survival at {late[0]:g} months is asked for, and the last event of the training patients came at"
        warnings.warn(f"{text} {last:.0f}: what comes after is not known, and stays as it is there", stacklevel=3)
    return months
