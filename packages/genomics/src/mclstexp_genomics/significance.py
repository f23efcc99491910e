"""What p-values of a scan are worth: false discovery, and the null over individuals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats


def false_discovery(p: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the false discovery rate at which each p is a discovery (Benjamini and Hochberg 1995); NaN stays."""
    q = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    if known.any():
        q[known] = stats.false_discovery_control(p[known])
    return q


def family_wise(largest: Sequence[float], t: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return p against the largest |t| that permuted individuals gave anywhere in the scan.

    Parameters
    ----------
    largest
        Of each permutation.
    t
        What was found.

    Returns
    -------
    (1 + how many are as large) / (1 + permutations): the smallest that can be is 1 / (1 + permutations).
    """
    ordered = np.sort(np.asarray(largest, np.float64))
    above = len(ordered) - np.searchsorted(ordered, np.abs(t), side="left")
    return np.where(np.isfinite(t), (1 + above) / (1 + len(ordered)), np.nan)
