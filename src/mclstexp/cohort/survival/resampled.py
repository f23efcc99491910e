"""How sure: statistics of patients drawn anew, their predictions left as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from mclstexp.cohort.survival.concordance import pairs_of
from mclstexp.cohort.survival.follow_up import checked
from mclstexp.core.errors import InputError

N_DRAWS: Final = 2000
"""Draws of an interval."""
MIN_UNITS: Final = 10
"""Sites from which on sites can be drawn in place of patients."""
_ROWS: Final = 512


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % percentile interval."""

    value: float
    """That of the patients as they are."""
    low: float
    """2.5th percentile of the draws."""
    high: float
    """97.5th percentile."""


def draw_patients(
    strata: ArrayLike, *, units: ArrayLike | None = None, n_draws: int = N_DRAWS, seed: int = 0
) -> Float[np.ndarray, "n_draws n"]:
    """Draw patients with replacement, as many of each stratum as it has.

    Parameters
    ----------
    strata
        (n,) folds.
    units
        (n,) what is drawn, with all its patients: sites; by default each patient by itself.
    n_draws
        How often.
    seed
        Of the draws.

    Returns
    -------
    How often each patient was drawn in each draw.

    Raises
    ------
    InputError
        If there are fewer than ten units in all.
    """
    fold = np.asarray(strata)
    unit = np.arange(len(fold)) if units is None else np.unique(np.asarray(units), return_inverse=True)[1]
    if units is not None and unit.max() + 1 < MIN_UNITS:
        msg = f"{MIN_UNITS} sites or more expected to draw sites, found {unit.max() + 1}: draw patients"
        raise InputError(msg)
    rng, drawn = np.random.default_rng(seed), np.zeros((n_draws, len(fold)))
    for one in np.unique(fold):
        mine = np.flatnonzero(fold == one)
        _, of = np.unique(unit[mine], return_inverse=True)
        n = int(of.max()) + 1
        drawn[:, mine] = rng.multinomial(n, np.full(n, 1 / n), size=n_draws)[:, of]
    return drawn


def drawn_concordance(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    *,
    fold: ArrayLike,
    draws: Float[np.ndarray, "n_draws n"],
) -> Float[np.ndarray, " n_draws"]:
    """Return the concordance within folds of each draw; a patient drawn twice makes no pair with itself.

    Costs n_draws times events times patients of each fold; memory for 512 of its rows at a time.

    Parameters
    ----------
    time, event, risk
        (n,) of the test patients of all folds.
    fold
        (n,) patients are compared within it alone.
    draws
        Of `draw_patients`; the same for two methods makes their difference a paired one.

    Raises
    ------
    InputError
        As `concordance.harrell`.
    """
    times, events = checked(time, event)
    risks, folds = np.asarray(risk, np.float64), np.asarray(fold)
    right, all_pairs = np.zeros((2, len(draws)))
    for one in np.unique(folds):
        mine = np.flatnonzero(folds == one)
        drawn, earlier = draws[:, mine], np.flatnonzero(events[mine])
        for start in range(0, len(earlier), _ROWS):
            rows = earlier[start : start + _ROWS]
            ranked, comparable = pairs_of(times[mine], events[mine], risks[mine], rows=rows)
            right += (drawn[:, rows] * (drawn @ ranked.T)).sum(axis=1)
            all_pairs += (drawn[:, rows] * (drawn @ comparable.T)).sum(axis=1)
    return np.divide(right, all_pairs, out=np.full(len(draws), np.nan), where=all_pairs > 0)


def interval(value: float, drawn: Float[np.ndarray, " n_draws"]) -> Interval:
    """Return a number with the percentile interval of its draws; without limits where no draw has it."""
    known = drawn[np.isfinite(drawn)]
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (np.nan, np.nan)
    return Interval(value, float(low), float(high))


def two_sided_p(drawn: Float[np.ndarray, " n_draws"]) -> float:
    """Return a two-sided p value of a difference being 0: twice the smaller share of draws on either side of it.

    The observed value counts as a draw on both sides, so that p is never 0 (Davison and Hinkley 1997).
    """
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return np.nan
    side = min((known <= 0).sum(), (known >= 0).sum())
    return float(min(1.0, 2 * (1 + side) / (1 + len(known))))
