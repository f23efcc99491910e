"""The null of individuals: whose traits these are is drawn anew, within strata where there are such."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

from mclstexp.analysis.association.linear import Columns, Scan, unit_residuals

FEWEST = 8
"""Individuals below which there are too few orders for a p: effects alone are said."""


def permuted_p(
    traits: Columns,
    markers: Columns,
    scan: Scan,
    *,
    covariates: Columns | None,
    strata: Int[np.ndarray, " n"] | None,
    n_permutations: int,
    seed: int,
) -> tuple[Float[np.ndarray, "n_traits n_markers"], Float[np.ndarray, "n_traits n_markers"]]:
    """Say how often the same individuals in another order reach such correlations.

    What covariates leave of the traits is permuted, all traits of an individual together (Freedman and Lane 1983), so
    that what binds traits to each other and markers to each other stays.

    Parameters
    ----------
    traits, markers, covariates
        As for `linear_scan`, which made `scan`.
    strata
        (n,) who may stand for whom: individuals of one number alone, as of one site or ancestry.
    n_permutations, seed
        Random orders.

    Returns
    -------
    Two-sided p of each pair; below what the permutations tell, (1 / (n_permutations + 1)), Student's where that is
    smaller. And the p of the largest correlation of all pairs (Westfall and Young 1993), at or below 0.05 for any pair
    in one of twenty scans without a single true one, however pairs hang together. NaN with fewer than 8 individuals.
    """
    if len(traits) < FEWEST:
        unknown = np.full(scan.r.shape, np.nan)
        return unknown, unknown
    left = np.nan_to_num(unit_residuals(traits, covariates))
    right = np.nan_to_num(unit_residuals(markers, covariates))
    rng = np.random.default_rng(seed)
    reached = np.abs(scan.r) - 1e-12
    each, largest = np.zeros(scan.r.shape), np.empty(n_permutations)
    for number in range(n_permutations):
        drawn = np.abs(left[_order(len(traits), strata, rng)].T @ right)
        each += drawn >= reached
        largest[number] = drawn.max(initial=0)
    p = (1 + each) / (n_permutations + 1)
    p = np.where(each == 0, np.minimum(p, scan.p), p)
    above = n_permutations - np.searchsorted(np.sort(largest), reached)
    family = (1 + above) / (n_permutations + 1)
    return np.where(np.isnan(scan.r), np.nan, p), np.where(np.isnan(scan.r), np.nan, family)


def smallest_p(n: int, strata: Int[np.ndarray, " n"] | None, *, n_permutations: int) -> float:
    """Return the smallest p that permutations of these individuals can reach."""
    sizes = [n] if strata is None else np.bincount(strata).tolist()
    orders = sum(math.lgamma(size + 1) for size in sizes)
    return max(1 / (n_permutations + 1), min(1.0, 2 * math.exp(-min(orders, 700.0))))


def _order(n: int, strata: Int[np.ndarray, " n"] | None, rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    if strata is None:
        return rng.permutation(n)
    order = np.empty(n, int)
    by_stratum = np.argsort(strata, kind="stable")
    # within a stratum the places are those of its members, in a random order of them
    order[by_stratum] = np.lexsort((rng.random(n), strata))
    return order
