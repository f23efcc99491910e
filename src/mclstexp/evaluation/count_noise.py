"""The noise of counts: how much of a gene's variance on a section is there because molecules are counted by chance."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.special import gammaincinv

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.gene_blocks import blocks
from mclstexp.core.pearson import PerGene

_DEPTHS: Final = 33
"""Depths at which a gene's noise is computed; between them it is taken for a line in log depth."""
_SHARES: Final = 16
"""Quantiles of a gene's share over the spots, of Gauss and Legendre."""
_SUMMED: Final = 20.0
"""Expected count up to which the Poisson distribution is summed; above, its first moments are enough."""
_TERMS: Final = 61


def noise_variance(panel: sparse.csr_matrix, space: ExpressionSpace) -> PerGene:
    """Return the variance that a gene's expression has for the same rates, if its molecules are counted anew.

    Given a spot's total, a count is binomial, nearly Poisson. On residuals its variance needs no model: count ·
    (total - count) / (total - 1) has that mean, whatever the rates. The logarithm's is computed: at a rate by the
    Poisson distribution, over the section by the gamma distribution of rates that has the two moments which the counts
    say (their sum, and that of count · (count - 1)).

    Parameters
    ----------
    panel
        (n_spots, n_genes) raw counts of the space's genes.
    space
        Panel and scale.

    Returns
    -------
    (n_genes,) mean over the spots.
    """
    totals = np.asarray(panel.sum(axis=1), np.float64).ravel()
    if space.scale == "residual":
        return _of_residuals(panel, totals, shares=np.array(space.shares), theta=space.theta)
    by_column = panel.tocsc()
    slices = blocks(panel.shape[1], _DEPTHS * _SHARES, most=2**20)
    found = [_of_logs(by_column[:, some], totals, space) for some in slices]
    return np.concatenate(found) / math.log(space.log_base) ** 2


def _of_residuals(
    panel: sparse.csr_matrix, totals: Float[np.ndarray, " n_spots"], *, shares: PerGene, theta: float
) -> PerGene:
    total = np.repeat(totals, np.diff(panel.indptr))
    expected = total * (shares / shares.sum())[panel.indices]
    variance = panel.data * (total - panel.data) / np.maximum(total - 1, 1) / (expected + expected**2 / theta)
    return np.bincount(panel.indices, variance, minlength=panel.shape[1]) / panel.shape[0]


def _of_logs(counts: sparse.csc_matrix, totals: Float[np.ndarray, " n_spots"], space: ExpressionSpace) -> PerGene:
    """Return the variance of ln(1 + scaled count) of some genes."""
    of_gene = np.asarray(counts.sum(axis=0), np.float64).ravel()
    pairs = np.asarray(counts.multiply(counts).sum(axis=0), np.float64).ravel() - of_gene
    share = of_gene / max(totals.sum(), 1)
    squared = pairs / max((totals * (totals - 1)).sum(), 1)
    spread = np.divide(squared, share**2, out=np.ones_like(share), where=share > 0) - 1
    depths, of_depth = _depths(totals)

    def at(shares: Float[np.ndarray, "n_genes n"]) -> Float[np.ndarray, "n_genes n"]:
        expected = shares[:, :, None] * depths
        if space.axis == "spot":
            return (_of_log(expected, space.target_sum / depths) @ of_depth) * (1 - shares)
        return _of_log(expected, (space.target_sum / np.maximum(of_gene, 1))[:, None, None]) @ of_depth

    even = at(share[:, None])[:, 0]
    shares, of_share = _gamma(share, np.maximum(np.abs(spread), 1e-4))
    # rates of equal spots seem to spread by less than nothing half of the time: cutting that off would leave a bias
    return even + np.sign(spread) * (at(shares) @ of_share - even)


def _gamma(mean: PerGene, spread: PerGene) -> tuple[Float[np.ndarray, "n_genes n"], Float[np.ndarray, " n"]]:
    """Return values and weights of gamma distributions of a mean and a squared coefficient of variation."""
    at, weights = np.polynomial.legendre.leggauss(_SHARES)
    shape = 1 / spread[:, None]
    values = gammaincinv(shape, (at + 1) / 2) / shape
    values /= np.maximum(values @ (weights / 2), 1e-12)[:, None]
    return np.minimum(values * mean[:, None], 1), weights / 2


def _depths(totals: Float[np.ndarray, " n_spots"]) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return depths and weights, by which a mean over the spots is one over few depths."""
    depth = np.log(totals[totals > 0])
    if len(depth) == 0:
        return np.ones(1), np.zeros(1)
    step = max(np.ptp(depth), 1e-9) / (_DEPTHS - 1)
    place = (depth - depth.min()) / step
    below = np.minimum(place.astype(int), _DEPTHS - 2)
    weights = np.bincount(below, 1 - (place - below), minlength=_DEPTHS)
    weights += np.bincount(below + 1, place - below, minlength=_DEPTHS)
    return np.exp(depth.min() + step * np.arange(_DEPTHS)), weights / len(totals)


def _of_log(expected: Float[np.ndarray, "..."], factor: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Return the variance of ln(1 + factor · count) for Poisson counts."""
    few = np.minimum(expected, _SUMMED)
    chance, mean, square = np.exp(-few), np.zeros_like(few), np.zeros_like(few)
    for count in range(1, _TERMS):
        chance = chance * few / count
        value = np.log1p(factor * count)
        mean += chance * value
        square += chance * value**2
    many = np.maximum(expected, _SUMMED)
    slope = factor / (1 + factor * many)
    # the delta method to the second order, with the Poisson distribution's central moments
    fourth = 3 * many**2 + many
    variance = slope**2 * many - slope**3 * many + slope**4 * ((fourth - many**2) / 4 + 2 * fourth / 3)
    return np.where(expected <= _SUMMED, square - mean**2, variance)
