"""λ: whether p values of a whole scan are smaller than chance makes them."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.stats import chi2

MEDIAN: Final = float(chi2.median(1))
"""0.4549, the median of χ² with one degree of freedom."""
_BLOCKS: Final = 20


def inflation(p: Float[np.ndarray, "n_traits n_markers"]) -> tuple[float, float]:
    """Return λ, the median χ² of a scan by what it is without any association (Devlin and Roeder 1999), and its error.

    Parameters
    ----------
    p
        Of every trait with every marker; NaN where there is none.

    Returns
    -------
    λ, 1 for p values as chance makes them; and its standard error by leaving out each of at most 20 blocks of
    neighbouring markers in turn, NaN with fewer than two.
    """
    whole = _lambda(p)
    parts = np.array_split(np.arange(p.shape[1]), min(_BLOCKS, p.shape[1]))
    if len(parts) < 2 or not np.isfinite(whole):
        return whole, float("nan")
    without = np.array([_lambda(np.delete(p, part, axis=1)) for part in parts])
    return whole, float(np.sqrt((len(parts) - 1) * np.nanvar(without)))


def _lambda(p: np.ndarray) -> float:
    known = p[np.isfinite(p)]
    return float(np.median(chi2.isf(np.maximum(known, 1e-300), 1)) / MEDIAN) if known.size else float("nan")
