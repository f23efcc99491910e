"""The textbook scan: every trait against every marker over independent rows, by one product of matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import chi2
from scipy.stats import t as student

from mclstexp.core.gene_blocks import blocks
from mclstexp.core.pearson import constant_truth

Columns = Float[np.ndarray, "n _"]
_NEARLY_ONE = 1 - 1e-15  # of r²: what is exactly alike has a p of 0 without dividing by it


@dataclass(frozen=True, eq=False)
class Scan:
    """Correlations of traits and markers, and how seldom chance alone reaches them if rows are independent."""

    r: Float[np.ndarray, "n_traits n_markers"]
    """Partial correlations given the covariates; NaN where trait or marker is constant."""
    t: Float[np.ndarray, "n_traits n_markers"]
    """r √(df / (1 - r²))."""
    p: Float[np.ndarray, "n_traits n_markers"]
    """Two-sided, of Student's distribution."""
    df: int
    """Rows less two, less covariates."""


def linear_scan(traits: Columns, markers: Columns, covariates: Columns | None = None, *, both: bool = True) -> Scan:
    """Correlate every trait with every marker.

    Parameters
    ----------
    traits, markers
        (n, n_traits) and (n, n_markers), finite.
    covariates
        (n, n_covariates), without a column of ones.
    both
        Take covariates out of both sides, and from the degrees of freedom. Otherwise, as TorchGWAS does, from traits
        alone, with n - 2 degrees: its p is off in either direction wherever covariates tell something of a marker.
    """
    n, n_covariates = len(traits), 0 if covariates is None else covariates.shape[1]
    df = n - 2 - (n_covariates if both else 0)
    left = unit_residuals(traits, covariates)
    r = np.empty((traits.shape[1], markers.shape[1]))
    for some in blocks(markers.shape[1], n):
        r[:, some] = left.T @ unit_residuals(markers[:, some], covariates if both else None)
    r = np.clip(r, -1, 1)
    t = r * np.sqrt(df / (1 - np.minimum(r**2, _NEARLY_ONE)))
    return Scan(r, t, 2 * student.sf(np.abs(t), df), df)


def unit_residuals(values: Columns, covariates: Columns | None = None) -> Columns:
    """Return what covariates and a constant leave of each column, at length 1; NaN of what they leave nothing."""
    ones = np.ones((len(values), 1))
    known, _ = np.linalg.qr(ones if covariates is None else np.hstack([ones, covariates]))
    values = np.asarray(values, np.float64)
    rest = values - known @ (known.T @ values)
    length = np.linalg.norm(rest, axis=0)
    spread = np.linalg.norm(values - values.mean(axis=0), axis=0)
    flat = constant_truth(values) | (length <= 1e-10 * spread)
    return rest / np.where(flat, np.nan, length)


def of_all_traits(scan: Scan, traits: Columns, covariates: Columns | None = None) -> Float[np.ndarray, " n_markers"]:
    """Return the p of each marker for all traits together.

    zᵀ R⁻¹ z of the marker's t values is χ² with as many degrees as there are traits, R being the traits' correlation
    (with 1e-6 on its diagonal).
    """
    unit = unit_residuals(traits, covariates)
    known = np.isfinite(unit).all(axis=0)
    among = unit[:, known].T @ unit[:, known] + 1e-6 * np.eye(int(known.sum()))
    z = scan.t[known]
    return chi2.sf((z * np.linalg.solve(among, z)).sum(axis=0), int(known.sum()))
