"""How sure: bootstrap intervals, sign-flip tests and Holm's correction, over units that are independent."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import ArrayLike

SIGNIFICANT: Final = 0.05
"""p below which two methods are told apart; where `smallest_p` is not below it, none are, however clear it looks."""
EXACT_UP_TO: Final = 12
"""Units up to which a sign-flip test counts every flip (2¹² = 4096)."""
N_FLIPS: Final = 10_000
"""Random flips beyond that."""


def bootstrap_interval(
    values: Float[np.ndarray, " n_values"],
    *,
    of: ArrayLike | None = None,
    n_boot: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean (Efron 1979): units are drawn with replacement.

    Parameters
    ----------
    values
        (n_values,) one mean per patient (or section); NaN is left out.
    of
        (n_values,) the unit of each value where units have several: the sections' patients. A unit is drawn with all
        its values. By default each value is a unit.
    n_boot
        How many times they are drawn.
    seed
        Of the draws. The same units are drawn for every method, so intervals do not move when a method is added.
    level
        Share of the bootstrap means inside.

    Returns
    -------
    Low and high; NaN with fewer than two units.

    Notes
    -----
    With few units it is too narrow: it cannot leave the range of what was seen, and a bootstrap variance is
    (n - 1) / n of the unbiased one. With two units it is their two values.
    """
    finite = np.isfinite(values)
    sums, counts = unit_sums(values[finite], of=None if of is None else np.asarray(of)[finite])
    if len(sums) < 2:
        return np.nan, np.nan
    drawn = np.random.default_rng(seed).integers(len(sums), size=(n_boot, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def unit_sums(
    values: Float[np.ndarray, " n_values"], *, of: ArrayLike | None
) -> tuple[Float[np.ndarray, " n_units"], Float[np.ndarray, " n_units"]]:
    """Add up the values of each unit, and count them; without `of` each value is a unit."""
    if of is None:
        return values, np.ones(len(values))
    unit = pd.factorize(np.asarray(of, str))[0]
    return np.bincount(unit, weights=values).astype(np.float64), np.bincount(unit).astype(np.float64)  # none: integers


def sign_flip_p(differences: Float[np.ndarray, " n_units"], *, seed: int = 0) -> float:
    """Two-sided p value of a mean difference by flipping signs (Fisher 1935).

    If two methods are alike, each unit's difference is as likely negative as positive; p is the share of the
    2ⁿ choices of signs whose mean is at least as far from 0. Beyond `EXACT_UP_TO` units `N_FLIPS` random choices are
    counted, with the observed one among them, so that p is never 0 (Phipson and Smyth 2010).

    Parameters
    ----------
    differences
        (n_units,) finite, one per patient (or section); where units have several, their sums (`unit_sums`): a unit's
        sign is flipped as a whole.
    seed
        Of random choices.

    Returns
    -------
    p; at least `smallest_p`; NaN without units.
    """
    n_units = len(differences)
    if n_units == 0:
        return np.nan
    seen = abs(differences.sum()) - 1e-12 * np.abs(differences).sum()  # sums in another order round differently
    if n_units <= EXACT_UP_TO:
        signs = 1 - 2 * ((np.arange(2**n_units)[:, None] >> np.arange(n_units)) & 1)
        return float((np.abs(signs @ differences) >= seen).mean())
    signs = 1 - 2 * np.random.default_rng(seed).integers(2, size=(N_FLIPS, n_units))
    return float((1 + (np.abs(signs @ differences) >= seen).sum()) / (1 + N_FLIPS))


def smallest_p(n_units: int) -> float:
    """Return the smallest p that `sign_flip_p` can reach: 2 / 2ⁿ, reached when all differences have one sign."""
    if n_units == 0:
        return np.nan
    return 2.0 ** (1 - n_units) if n_units <= EXACT_UP_TO else 1 / (1 + N_FLIPS)


def holm(p: ArrayLike) -> Float[np.ndarray, " n_tests"]:
    """Adjust p values of several tests so that the chance of any false finding stays below them (Holm 1979).

    Parameters
    ----------
    p
        (n_tests,) NaN is no test: it stays NaN and is not counted.

    Returns
    -------
    (n_tests,): the k-th smallest times (n_tests - k + 1), never below a smaller one's, at most 1.
    """
    values = np.asarray(p, np.float64)
    adjusted = np.full(values.shape, np.nan)
    order = np.argsort(values)[: np.isfinite(values).sum()]  # NaN sorts last
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1)
    return adjusted
