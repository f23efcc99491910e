"""Cox's partial likelihood, ties by Efron or Breslow, in strata."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, Self

import numpy as np
from jaxtyping import Bool, Float, Int

from mclstexp.cohort.regression.likelihood import Design, Likelihood, Scores, Slope


@dataclass(frozen=True, eq=False)
class Cox(Likelihood):
    """Who goes first among those who are still there (Cox 1972), the scores being log hazards.

    Efron's sum (1977) takes patients of one time as leaving one after the other in no order; Breslow's (1974) leaves
    all of them at risk.
    """

    time: Float[np.ndarray, " n"]
    event: Bool[np.ndarray, " n"]
    strata: Int[np.ndarray, " n"] | None = None
    """Patients are compared within these alone; each has a hazard of its own."""
    ties: Literal["efron", "breslow"] = "efron"

    has_intercept: ClassVar[bool] = False

    def value(self, scores: Scores) -> float:
        """See `Likelihood.value`; 0 where nobody has an event."""
        return sum(stratum.value(scores) for stratum in self._strata)

    def slope(self, design: Design, scores: Scores) -> Slope:
        """See `Likelihood.slope`."""
        n_columns = design.shape[1]
        value, gradient, information = 0.0, np.zeros(n_columns), np.zeros((n_columns, n_columns))
        for stratum in self._strata:
            part = stratum.slope(design, scores)
            value, gradient, information = (
                value + part.value,
                gradient + part.gradient,
                information + part.information,
            )
        return Slope(value, gradient, information)

    def of(self, rows: Int[np.ndarray, " m"]) -> Self:
        """See `Likelihood.of`."""
        strata = None if self.strata is None else self.strata[rows]
        return type(self)(self.time[rows], self.event[rows], strata, self.ties)

    @cached_property
    def _strata(self) -> tuple[_Stratum, ...]:
        everyone = np.arange(len(self.time))
        kinds = [everyone] if self.strata is None else [everyone[self.strata == s] for s in np.unique(self.strata)]
        return tuple(_stratum(self.time, self.event, rows, self.ties) for rows in kinds if self.event[rows].any())


@dataclass(frozen=True, eq=False)
class _Stratum:
    """Patients from the last time to the first, so that who is at risk at an event are the first so many of them."""

    rows: Int[np.ndarray, " n"]
    places: Int[np.ndarray, " n_events"]  # where in `rows` the events are
    last: Int[np.ndarray, " n_events"]  # the last of `rows` at risk at each
    tie: Int[np.ndarray, " n_events"]  # number of the time of each
    gone: Float[np.ndarray, " n_events"]  # the share of its ties that has left before it

    def value(self, scores: Scores) -> float:
        _, at_risk, shift = self._at_risk(scores)
        return float((scores[self.rows[self.places]] - shift - np.log(at_risk)).sum())

    def slope(self, design: Design, scores: Scores) -> Slope:
        weight, at_risk, shift = self._at_risk(scores)
        x = design[self.rows]
        inverse = 1 / at_risk
        times_at_risk = np.bincount(self.last, inverse, len(x))[::-1].cumsum()[::-1]
        times_at_risk[self.places] -= np.bincount(self.tie, self.gone * inverse)[self.tie]
        expected = weight * times_at_risk
        weighted = weight[:, None] * x
        tied = np.zeros((self.tie[-1] + 1, x.shape[1]))
        np.add.at(tied, self.tie, weighted[self.places])
        means = (weighted.cumsum(axis=0)[self.last] - self.gone[:, None] * tied[self.tie]) * inverse[:, None]
        return Slope(
            float((scores[self.rows[self.places]] - shift - np.log(at_risk)).sum()),
            x[self.places].sum(axis=0) - expected @ x,
            (x * expected[:, None]).T @ x - means.T @ means,
        )

    def _at_risk(self, scores: Scores) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " n_events"], float]:
        """Return each patient's hazard, and the sum over who is at risk at each event, both by exp(shift)."""
        here = scores[self.rows]
        shift = float(here.max())
        weight = np.exp(here - shift)
        tied = np.bincount(self.tie, weight[self.places])[self.tie]
        return weight, weight.cumsum()[self.last] - self.gone * tied, shift


def _stratum(
    time: Float[np.ndarray, " n"], event: Bool[np.ndarray, " n"], rows: Int[np.ndarray, " m"], ties: str
) -> _Stratum:
    rows = rows[np.argsort(-time[rows], kind="stable")]
    places = np.flatnonzero(event[rows])
    last = np.searchsorted(-time[rows], -time[rows[places]], side="right") - 1
    _, first, tie, number = np.unique(-time[rows[places]], return_index=True, return_inverse=True, return_counts=True)
    gone = (np.arange(len(places)) - first[tie]) / number[tie]
    return _Stratum(rows, places, last, tie, gone if ties == "efron" else np.zeros(len(places)))
