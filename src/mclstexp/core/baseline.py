"""`Baseline`: how many are still there after a time, where risks alone say only who goes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from jaxtyping import Bool, Float

_MOST_RISK: Final = 300.0
"""Beyond it nobody is left at any time, or everybody."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """Breslow's estimate of the cumulative hazard of a patient of risk 0, a step function."""

    times: Float[np.ndarray, " n_times"]
    """Months at which events came, rising."""
    hazard: Float[np.ndarray, " n_times"]
    """What has added up from then on."""

    @classmethod
    def fit(cls, time: Float[np.ndarray, " n"], event: Bool[np.ndarray, " n"], risk: Float[np.ndarray, " n"]) -> Self:
        """Estimate it: at each time its events, by the sum of exp(risk) over who was still there."""
        times, events = np.unique(time[event], return_counts=True)
        order = np.argsort(time)
        left = np.cumsum(_hazard(risk[order])[::-1])[::-1]
        at_risk = left[np.searchsorted(time[order], times)]
        return cls(times, np.cumsum(events / at_risk))

    def at(self, months: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Return the cumulative hazard at some times."""
        return np.concatenate([[0.0], self.hazard])[np.searchsorted(self.times, months, side="right")]

    def survival(
        self, risk: Float[np.ndarray, " n_patients"], months: Float[np.ndarray, " n_times"]
    ) -> Float[np.ndarray, "n_patients n_times"]:
        """Return who is expected to be still there: exp(-H(t) exp(risk))."""
        return np.exp(-self.at(months) * _hazard(risk)[:, None])


def _hazard(risk: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return np.exp(np.clip(risk, -_MOST_RISK, _MOST_RISK))
