"""Calibration: whether shares foretold come true, and as many events come as were foretold."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy import stats

from mclstexp.cohort.survival.follow_up import Steps, checked
from mclstexp.cohort.survival.kaplan_meier import kaplan_meier


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
    of = _alike(said, n_groups)
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


def calibration_of_yes(truth: ArrayLike, probability: ArrayLike, *, n_groups: int = 5) -> pd.DataFrame:
    """Hold foretold probabilities against shares of yes, in groups of patients of like probabilities.

    Parameters
    ----------
    truth, probability
        (n,) 1 of a yes and 0 of a no, and what was foretold.
    n_groups
        As of `calibration_groups`.

    Returns
    -------
    A row per group, lowest probability first: "n", "events" (yes), "predicted", "observed" and its 95 % limits "low"
    and "high" (Wilson 1927).
    """
    came, said = np.asarray(truth, np.float64), np.asarray(probability, np.float64)
    of, rows = _alike(said, n_groups), []
    for group in np.unique(of):
        mine = of == group
        n, yes = int(mine.sum()), int(came[mine].sum())
        limits = stats.binomtest(yes, n).proportion_ci(method="wilson")
        own = {"n": n, "events": yes, "predicted": float(said[mine].mean()), "observed": yes / n}
        rows.append({**own, "low": float(limits.low), "high": float(limits.high)})
    return pd.DataFrame(rows)


def _alike(said: Float[np.ndarray, " n"], n_groups: int) -> Int[np.ndarray, " n"]:
    """Return the group of each patient, of like numbers; equal ones stay together."""
    cuts = np.unique(np.quantile(said, np.arange(1, n_groups) / n_groups))
    return np.searchsorted(cuts, said, side="left")


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
