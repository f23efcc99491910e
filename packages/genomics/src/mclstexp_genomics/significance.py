"""What p-values of a scan are worth: inflation, false discovery, the null over individuals, and loci."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from scipy import stats

MEDIAN_CHI2: Final = float(stats.chi2.ppf(0.5, 1))
"""0.4549: the median of χ² with one degree of freedom."""
NEAR_BP: Final = 500_000
LINKED_BP: Final = 1_000_000
LINKED_R2: Final = 0.1
P = Float[np.ndarray, " n_markers"]


def inflation(p: P, *, n_blocks: int = 20) -> tuple[float, float]:
    """Return λ, and its standard error by a jackknife over blocks of neighbouring markers.

    Parameters
    ----------
    p
        Of each marker in the order of the genome; NaN is left out.
    n_blocks
        How many blocks.

    Returns
    -------
    λ = median(χ²) / 0.4549, which is 1 where nothing is associated and nothing confounds; NaN where there is no marker.
    """
    chi2 = stats.chi2.isf(p[np.isfinite(p)], 1)
    if len(chi2) == 0:
        return float("nan"), float("nan")
    n_blocks = min(n_blocks, len(chi2))
    left = [np.median(np.delete(chi2, block)) for block in np.array_split(np.arange(len(chi2)), n_blocks)] * (
        n_blocks > 1
    )
    deviation = np.sqrt((n_blocks - 1) * np.var(left)) if n_blocks > 1 else np.nan
    return float(np.median(chi2) / MEDIAN_CHI2), float(deviation / MEDIAN_CHI2)


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


@dataclass(frozen=True)
class Locus:
    """A place on the genome, by its best marker."""

    marker: int
    """Number of the marker."""
    p: float
    """Its p."""
    n_markers: int
    """Significant markers it stands for, itself among them."""


def loci(
    p: P,
    genotypes: Any,
    *,
    chromosome: Sequence[str] | np.ndarray,
    position_bp: Sequence[int] | np.ndarray,
    threshold: float,
) -> list[Locus]:
    """Return loci: the best marker, without those near it or linked to it, and so on.

    Parameters
    ----------
    p
        Of each marker.
    genotypes
        A function that returns (n_people, n) allele counts of markers by number.
    chromosome, position_bp
        Where markers lie.
    threshold
        p above which a marker is none.

    Returns
    -------
    The best first. A marker goes with a better one within 500 kb, or within 1 Mb where r² is 0.1 or more.
    """
    chromosome, position_bp = np.asarray(chromosome), np.asarray(position_bp)
    left = [marker for marker in np.argsort(p, kind="stable") if p[marker] <= threshold]
    found = []
    while left:
        best, *others = left
        away = np.abs(position_bp[others] - position_bp[best])
        same = chromosome[others] == chromosome[best]
        gone = same & (away <= NEAR_BP)
        maybe = np.flatnonzero(same & ~gone & (away <= LINKED_BP))
        if len(maybe):
            numbers = [best, *(others[at] for at in maybe)]
            with np.errstate(invalid="ignore"):
                gone[maybe] = np.corrcoef(genotypes(numbers).T)[0, 1:] ** 2 >= LINKED_R2
        found.append(Locus(int(best), float(p[best]), 1 + int(gone.sum())))
        left = [marker for marker, out in zip(others, gone, strict=True) if not out]
    return found
