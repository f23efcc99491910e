"""The log-rank test: whether groups of patients have their events at the same rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy import stats

from mclstexp.cohort.survival.follow_up import checked
from mclstexp.core.errors import InputError


@dataclass(frozen=True)
class LogRank:
    """A log-rank test."""

    statistic: float
    """Chi squared."""
    degrees: int
    """Its degrees of freedom: groups less one."""
    p: float
    """Its p value."""
    observed: tuple[float, ...]
    """Events of each group, in the order of their names."""
    expected: tuple[float, ...]
    """Those it would have if all had the same rate."""


def log_rank(time: ArrayLike, event: ArrayLike, group: ArrayLike, *, strata: ArrayLike | None = None) -> LogRank:
    """Test whether groups have events at the same rate (Mantel 1966), with the hypergeometric variance.

    Parameters
    ----------
    time, event
        (n,) follow-up.
    group
        (n,) whose groups are compared.
    strata
        (n,) patients are compared within strata alone: the folds, where groups were cut in each.

    Raises
    ------
    InputError
        If there is one group, or as `follow_up.checked`.
    """
    times, events = checked(time, event)
    names, of = np.unique(np.asarray(group), return_inverse=True)
    if len(names) < 2:
        msg = f"two groups or more expected, found {len(names)}: every patient is in the same one"
        raise InputError(msg)
    within = np.zeros(len(times), np.intp) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    parts = [_counts(times[s], events[s], of[s], len(names)) for s in (within == k for k in np.unique(within))]
    observed, expected, covariance = (np.sum([part[k] for part in parts], axis=0) for k in range(3))
    free = np.ix_(range(len(names) - 1), range(len(names) - 1))
    off = (observed - expected)[:-1]
    statistic = float(off @ np.linalg.pinv(covariance[free]) @ off)
    degrees = len(names) - 1
    p = float(stats.chi2.sf(statistic, degrees))
    return LogRank(statistic, degrees, p, tuple(map(float, observed)), tuple(map(float, expected)))


def _counts(
    time: Float[np.ndarray, " n"], event: np.ndarray, group: np.ndarray, n_groups: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return events, expected events and their covariance of each group in one stratum."""
    distinct, place = np.unique(time, return_inverse=True)
    leave, died = np.zeros((2, len(distinct), n_groups))
    np.add.at(leave, (place, group), 1.0)
    np.add.at(died, (place, group), event.astype(np.float64))
    at_risk = leave[::-1].cumsum(axis=0)[::-1]
    n, d = at_risk.sum(axis=1), died.sum(axis=1)
    share = at_risk / n[:, None]
    spread = np.where(n > 1, d * (n - d) / np.maximum(n - 1, 1), 0.0)
    between = np.einsum("t,tg,th->gh", spread, share, share)
    covariance = np.diag(spread @ share) - between
    return died.sum(axis=0), d @ share, covariance
