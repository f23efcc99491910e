"""The area under the curve at a time: who has had the event by then, against who has not."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from mclstexp.cohort.survival.follow_up import Steps, checked
from mclstexp.cohort.survival.kaplan_meier import kaplan_meier
from mclstexp.cohort.survival.later import TIED


def dynamic_auc(
    time: ArrayLike, event: ArrayLike, risk: ArrayLike, *, at: ArrayLike, censoring: Steps
) -> Float[np.ndarray, " n_times"]:
    """Return the cumulative/dynamic area under the curve at times (Heagerty and others 2000; Uno and others 2007).

    Cases have had the event by then and weigh 1/G of their time; controls are without at that time.

    Parameters
    ----------
    time, event, risk
        (n,) of the test patients.
    at
        (n_times,) when.
    censoring
        G, of the training patients.

    Returns
    -------
    NaN at a time without a case or without a control.

    Raises
    ------
    InputError
        As `follow_up.checked`.
    """
    times, events = checked(time, event)
    risks, watched = np.asarray(risk, np.float64), censoring.at(times)
    weight = np.where(events & (watched > 0), 1 / np.where(watched > 0, watched, 1), 0.0)
    return np.array([_at(u, times, risks, weight) for u in np.atleast_1d(np.asarray(at, np.float64))])


def mean_auc(auc: Float[np.ndarray, " n_times"], time: ArrayLike, event: ArrayLike, *, at: ArrayLike) -> float:
    """Average areas over times, each weighing the share of the test patients that has the event since the one before.

    Raises
    ------
    InputError
        As `follow_up.checked`.
    """
    survival = kaplan_meier(time, event).curve.at(at)
    fallen = -np.diff(np.concatenate(([1.0], survival)))
    total = 1 - survival[-1]
    return float(auc @ fallen / total) if total > 0 else np.nan


def _at(
    u: float, time: Float[np.ndarray, " n"], risk: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"]
) -> float:
    cases, controls = (time <= u) & (weight > 0), np.sort(risk[time > u])
    if not cases.any() or not len(controls):
        return np.nan
    below = np.searchsorted(controls, risk[cases] - TIED, side="left")
    not_above = np.searchsorted(controls, risk[cases] + TIED, side="right")
    return float(weight[cases] @ ((below + not_above) / 2) / (weight[cases].sum() * len(controls)))
