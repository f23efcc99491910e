"""Calibration: whether shares foretold come true, and whether risks are spread as events are."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from mclstexp.cohort.survival.follow_up import Steps, checked
from mclstexp.cohort.survival.kaplan_meier import kaplan_meier

_STEPS: Final = 50
_STEEPEST: Final = 50.0


def calibration_groups(
    time: ArrayLike, event: ArrayLike, survival: ArrayLike, *, at: float, n_groups: int = 5
) -> pd.DataFrame:
    """Hold foretold shares against Kaplan-Meier's in groups of patients of like shares.

    Parameters
    ----------
    time, event
        (n,) of the test patients.
    survival
        (n,) foretold shares without an event at `at`.
    at
        When.
    n_groups
        Groups of as equal a size as can be; patients of equal shares stay together, so there may be fewer.

    Returns
    -------
    A row per group, lowest share first: "n", "events" (by then), "predicted", "observed", "low", "high"; observed is
    NaN where follow-up of a group ends before.

    Raises
    ------
    InputError
        As `follow_up.checked`.
    """
    times, events = checked(time, event)
    said = np.asarray(survival, np.float64)
    cuts = np.unique(np.quantile(said, np.arange(1, n_groups) / n_groups))
    of = np.searchsorted(cuts, said, side="left")
    rows = []
    for group in np.unique(of):
        mine = of == group
        km = kaplan_meier(times[mine], events[mine])
        followed = bool((times[mine] >= at).any()) or km.survival[-1] == 0
        ends = (Steps(km.table.times, values, 1.0).at(at)[0] for values in (km.survival, km.low, km.high))
        observed, low, high = ends if followed else (np.nan,) * 3
        rows.append(
            {
                "n": int(mine.sum()),
                "events": int((events & (times <= at))[mine].sum()),
                "predicted": float(said[mine].mean()),
                "observed": float(observed),
                "low": float(low),
                "high": float(high),
            }
        )
    return pd.DataFrame(rows)


def calibration_slope(time: ArrayLike, event: ArrayLike, log_risk: ArrayLike, *, strata: ArrayLike) -> float:
    """Return the coefficient of a Cox model (Efron's ties) of test patients on their foretold log-risk.

    1 is ideal; below 1 the risks are spread too far, as those of a model that learnt noise.

    Parameters
    ----------
    time, event, log_risk
        (n,) of the test patients.
    strata
        (n,) the fold of each, whose baseline hazard is its own.

    Returns
    -------
    NaN without events, where risks do not differ, or where risk and event order agree so well that no slope is steep
    enough.

    Raises
    ------
    InputError
        As `follow_up.checked`.
    """
    times, events = checked(time, event)
    risks, fold = np.asarray(log_risk, np.float64), np.asarray(strata)
    spread = risks.std()
    if not events.any() or not spread > 0:
        return np.nan
    parts = [
        (times[mine], events[mine], (risks[mine] - risks.mean()) / spread) for mine in (fold == f for f in set(fold))
    ]
    beta = 0.0
    for _ in range(_STEPS):
        slopes, curves = zip(*(_derivatives(beta, *part) for part in parts), strict=True)
        if not sum(curves) > 0:
            return np.nan
        step = sum(slopes) / sum(curves)
        beta += float(np.clip(step, -1, 1))
        if abs(beta) > _STEEPEST:
            return np.nan
        if abs(step) < 1e-9:
            break
    return beta / spread


def observed_over_expected(time: ArrayLike, event: ArrayLike, hazard: ArrayLike) -> float:
    """Return events over those foretold: the sum of each patient's cumulative hazard at the end of follow-up.

    Raises
    ------
    InputError
        As `follow_up.checked`.
    """
    _, events = checked(time, event)
    expected = float(np.asarray(hazard, np.float64).sum())
    return float(events.sum() / expected) if expected > 0 else np.nan


def _derivatives(
    beta: float, time: Float[np.ndarray, " n"], event: Bool[np.ndarray, " n"], x: Float[np.ndarray, " n"]
) -> tuple[float, float]:
    """Return the slope and the curvature (sign turned) of the log partial likelihood of one covariate."""
    weight = np.exp(beta * x - (beta * x).max())
    distinct, place = np.unique(time, return_inverse=True)
    died = np.bincount(place, weights=event, minlength=len(distinct))
    moments = np.stack([weight * x**k for k in range(3)])
    all_of, dead_of = (np.stack([np.bincount(place, m * on, len(distinct)) for m in moments]) for on in (1, event))
    at_risk = all_of[:, ::-1].cumsum(axis=1)[:, ::-1]
    tie = np.repeat(np.arange(len(distinct)), died.astype(int))
    nth = np.arange(len(tie)) - np.searchsorted(tie, tie)
    s0, s1, s2 = at_risk[:, tie] - nth / died[tie] * dead_of[:, tie]
    mean = s1 / s0
    return float(x[event].sum() - mean.sum()), float((s2 / s0 - mean**2).sum())
