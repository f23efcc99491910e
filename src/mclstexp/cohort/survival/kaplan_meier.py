"""Kaplan-Meier: the share that is still without an event, with limits, and how long follow-up was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy import stats

from mclstexp.cohort.survival.follow_up import RiskTable, Steps, checked, risk_table


@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """A Kaplan-Meier estimate; its arrays have one value per distinct time, of events and censorings alike."""

    table: RiskTable
    """Who is at risk when."""
    survival: Float[np.ndarray, " n_times"]
    """Share without an event, from that time on."""
    low: Float[np.ndarray, " n_times"]
    """Lower limit of it; NaN where the share is 0."""
    high: Float[np.ndarray, " n_times"]
    """Upper limit of it."""

    @property
    def curve(self) -> Steps:
        """The share as a function of time."""
        return Steps(self.table.times, self.survival, 1.0)

    @property
    def median(self) -> float:
        """First time at which the share is 0.5 or less; infinite where it never is."""
        reached = np.flatnonzero(self.survival <= 0.5)
        return float(self.table.times[reached[0]]) if len(reached) else np.inf

    def at_risk(self, times: ArrayLike) -> Float[np.ndarray, " n"]:
        """Return how many are at risk at `times`, for the line under a curve."""
        place = np.searchsorted(self.table.times, np.atleast_1d(np.asarray(times, np.float64)), side="left")
        return np.append(self.table.at_risk, 0.0)[place]


def kaplan_meier(time: ArrayLike, event: ArrayLike, *, level: float = 0.95) -> KaplanMeier:
    """Estimate the share without an event over time (Kaplan and Meier 1958).

    Parameters
    ----------
    time, event
        (n,) follow-up and whether it ended in an event.
    level
        Of the limits, which are symmetric on the scale of log(-log) with Greenwood's variance.

    Raises
    ------
    InputError
        As `follow_up.checked`.
    """
    table = risk_table(time, event)
    n, d = table.at_risk, table.events
    survival = np.cumprod(1 - d / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.cumsum(np.where(n > d, d / (n * (n - d)), np.inf))
        log = np.log(survival)
        half = stats.norm.ppf((1 + level) / 2) * np.sqrt(variance) / np.abs(log)
        low, high = (np.exp(log * np.exp(side * half)) for side in (1, -1))
    whole, none = survival == 1, survival == 0
    return KaplanMeier(table, survival, *(np.where(whole, 1.0, np.where(none, np.nan, end)) for end in (low, high)))


def median_follow_up(time: ArrayLike, event: ArrayLike) -> float:
    """Return how long the middle patient was followed: the median where events end the watching (reverse Kaplan-Meier).

    Raises
    ------
    InputError
        As `follow_up.checked`.
    """
    times, events = checked(time, event)
    return kaplan_meier(times, ~events).median
