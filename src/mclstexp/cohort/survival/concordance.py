"""Concordance: how often the patient of the higher risk has the event first, Harrell's and Uno's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from mclstexp.cohort.survival.follow_up import Steps, checked
from mclstexp.cohort.survival.later import TIED, count_below, order_of_ends
from mclstexp.core.errors import InputError


@dataclass(frozen=True)
class Concordance:
    """Pairs of patients and how many are ranked rightly, each with its weight; sums of folds are concordances too."""

    concordant: float
    """The patient with the event first has the higher risk."""
    tied: float
    """Both have the same risk."""
    comparable: float
    """Pairs of which it is known who had the event first."""

    @property
    def c(self) -> float:
        """The share ranked rightly, ties as halves; NaN without a pair."""
        return (self.concordant + self.tied / 2) / self.comparable if self.comparable else np.nan

    def __add__(self, other: Concordance) -> Concordance:
        return Concordance(
            self.concordant + other.concordant, self.tied + other.tied, self.comparable + other.comparable
        )


def harrell(time: ArrayLike, event: ArrayLike, risk: ArrayLike) -> Concordance:
    """Count how pairs are ranked (Harrell and others 1982).

    A pair is comparable if one has an event and the other is known to have been without for longer; at the same time
    one with an event comes before one censored, and two with events are not comparable.

    Parameters
    ----------
    time, event
        (n,) follow-up.
    risk
        (n,) higher means earlier.

    Raises
    ------
    InputError
        If a risk is not finite, or as `follow_up.checked`.
    """
    return _concordance(time, event, risk, weight=None)


def uno(time: ArrayLike, event: ArrayLike, risk: ArrayLike, *, censoring: Steps, tau: float) -> Concordance:
    """Count how pairs are ranked, as if nobody had been lost from sight (Uno and others 2011).

    Each pair weighs G(t)⁻² of its earlier patient, whose time lies before `tau`.

    Parameters
    ----------
    time, event, risk
        As for `harrell`.
    censoring
        G, of the training patients.
    tau
        Events from then on are not counted.

    Raises
    ------
    InputError
        As `harrell`.
    """
    return _concordance(time, event, risk, weight=uno_weights(time, censoring=censoring, tau=tau))


def uno_weights(time: ArrayLike, *, censoring: Steps, tau: float) -> Float[np.ndarray, " n"]:
    """Return what a pair weighs whose earlier patient has an event at `time`; 0 from `tau` on and where G is 0."""
    times = np.asarray(time, np.float64)
    watched = censoring.at(times)
    used = (times < tau) & (watched > 0)
    return np.where(used, 1 / np.where(used, watched, 1) ** 2, 0.0)


def within_folds(parts: Iterable[Concordance]) -> Concordance:
    """Add up the pairs of folds: the concordance of patients compared within their fold alone.

    Risks of two folds come of two fits and stand on two scales. A fold weighs as much as it has pairs.
    """
    return sum(parts, Concordance(0.0, 0.0, 0.0))


def pairs_of(
    time: ArrayLike, event: ArrayLike, risk: ArrayLike, *, rows: Int[np.ndarray, " m"]
) -> tuple[Float[np.ndarray, "m n"], Float[np.ndarray, "m n"]]:
    """Return the pairs of some earlier patients: how rightly each is ranked (0, ½, 1), and whether it is comparable.

    For samples drawn anew from the patients of one fold; a concordance alone does without.
    """
    times, events, risks = _checked(time, event, risk)
    own = times[rows, None]
    later = ((times > own) | ((times == own) & ~events)) & events[rows, None]
    off = risks[rows, None] - risks
    return later * np.where(np.abs(off) <= TIED, 0.5, off > 0), later.astype(np.float64)


def _concordance(
    time: ArrayLike, event: ArrayLike, risk: ArrayLike, *, weight: Float[np.ndarray, " n"] | None
) -> Concordance:
    times, events, risks = _checked(time, event, risk)
    order, start = order_of_ends(times, events)
    below, tied = count_below(risks[order], start[events], risks[events])
    weights = np.ones(len(below)) if weight is None else weight[events]
    n_later = len(times) - start[events]
    return Concordance(*(float(weights @ count) for count in (below, tied, n_later)))


def _checked(
    time: ArrayLike, event: ArrayLike, risk: ArrayLike
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    times, events = checked(time, event)
    risks = np.asarray(risk, np.float64)
    if risks.shape != times.shape or not np.isfinite(risks).all():
        msg = f"one finite risk of each of {len(times)} patients expected, found shape {risks.shape} or others"
        raise InputError(msg)
    return times, events, risks
