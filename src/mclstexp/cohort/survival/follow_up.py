"""Follow-up as statistics take it: times above 0, an event or none, and who is at risk when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from mclstexp.core.errors import InputError
from mclstexp.core.wording import shown


@dataclass(frozen=True, eq=False)
class RiskTable:
    """How many are at risk, and how many leave, at each distinct time."""

    times: Float[np.ndarray, " n_times"]
    """Distinct times, ascending."""
    at_risk: Float[np.ndarray, " n_times"]
    """Those whose time is this one or later."""
    events: Float[np.ndarray, " n_times"]
    """Those with an event at this time."""
    censored: Float[np.ndarray, " n_times"]
    """Those last seen at this time."""


@dataclass(frozen=True, eq=False)
class Steps:
    """A function that is constant between its times, and holds at a time what begins there."""

    times: Float[np.ndarray, " n_times"]
    """Where it steps, ascending."""
    values: Float[np.ndarray, " n_times"]
    """What it is from there on."""
    before: float
    """What it is before the first time."""

    def at(self, times: ArrayLike) -> Float[np.ndarray, " n"]:
        """Return its values at `times`; beyond the last step it stays as it is."""
        place = np.searchsorted(self.times, np.atleast_1d(np.asarray(times, np.float64)), side="right")
        return np.concatenate(([self.before], self.values))[place]


def checked(time: ArrayLike, event: ArrayLike) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Return times and events as arrays.

    Raises
    ------
    InputError
        If there are none, they differ in number, a time is not above 0, or an event is neither 0 nor 1.
    """
    times, events = (np.asarray(values, np.float64) for values in (time, event))
    if times.ndim != 1 or times.shape != events.shape or not len(times):
        msg = f"one time and one event of each patient expected, found shapes {times.shape} and {events.shape}"
        raise InputError(msg)
    if not (np.isfinite(times) & (times > 0)).all():
        wrong = times[~(np.isfinite(times) & (times > 0))][0]
        msg = f"follow-up times above 0 expected, found {shown(float(wrong))}: correct it, or leave that patient out"
        raise InputError(msg)
    if not np.isin(events, (0, 1)).all():
        wrong = events[~np.isin(events, (0, 1))][0]
        msg = f"events of 1 (observed) or 0 (censored) expected, found {shown(float(wrong))}: write them so"
        raise InputError(msg)
    return times, events.astype(bool)


def risk_table(time: ArrayLike, event: ArrayLike) -> RiskTable:
    """Count who is at risk and who leaves at each distinct time.

    Raises
    ------
    InputError
        As `checked`.
    """
    times, events = checked(time, event)
    distinct, place = np.unique(times, return_inverse=True)
    leave = np.bincount(place).astype(np.float64)
    died = np.bincount(place, weights=events)
    return RiskTable(distinct, leave[::-1].cumsum()[::-1], died, leave - died)
