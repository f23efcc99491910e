"""Pearson residuals of counts: how far a count lies from what the spot's total and the gene's share explain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy import sparse

from mclstexp.core.gene_blocks import blocks

THETA: Final = 10.0
"""Overdispersion of counts, one for all genes and not estimated.

Estimates of single genes are biased where counts are few, and one value serves all (Lause, Berens and Kobak 2021). An
estimate over tissue would also take the differences between its regions, which are to be predicted, for noise. The
residuals of a gene with large counts spread about √theta times its coefficient of variation: under the 100 that
technical replicates of single cells suggest, a few genes would outweigh all others in whatever is fitted to them;
under 10 they spread hardly more than the 1 of a gene whose counts are noise alone.
"""
_UNSEEN: Final = 0.5
"""Counts that a gene is taken to have where training has none, so that a first count is a large, finite surprise."""


def expected_shares(panels: Iterable[sparse.csr_matrix]) -> Float[np.ndarray, " n_genes"]:
    """Return each gene's share of all counts of the panel.

    Parameters
    ----------
    panels
        (n_spots, n_genes) raw counts of the same genes, one matrix per training section.

    Returns
    -------
    (n_genes,) above 0, sum 1.
    """
    total = sum(np.asarray(panel.sum(axis=0), np.float64).ravel() for panel in panels)
    total = np.maximum(total, _UNSEEN)
    return total / total.sum()


def pearson_residuals(
    panel: sparse.csr_matrix, *, shares: Float[np.ndarray, " n_genes"], theta: float, clip: float
) -> Float[np.ndarray, "n_spots n_genes"]:
    """Return Pearson residuals of counts under a negative binomial of known shares.

    With µ = total of the spot over the panel · share of the gene: (count - µ) / √(µ + µ² / theta), as in Lause, Berens
    and Kobak, Genome Biology 22:258 (2021), equations 3 and 4, whose µ is fitted to the same cells; here the shares
    are given.

    Parameters
    ----------
    panel
        (n_spots, n_genes) raw counts.
    shares
        (n_genes,) above 0; what they sum to does not matter.
    theta
        Overdispersion; the larger, the nearer to Poisson counts.
    clip
        Residuals beyond ± this are cut to it; infinity cuts none.

    Returns
    -------
    (n_spots, n_genes) float32; a spot without counts is all zeros, for nothing was expected of it.
    """
    totals = np.asarray(panel.sum(axis=1), np.float64).ravel()
    shares = shares / shares.sum()
    found = np.zeros(panel.shape, np.float32)
    for rows in blocks(*panel.shape):
        expected = totals[rows, None] * shares
        spread = np.sqrt(expected + expected**2 / theta)
        surprise = panel[rows].toarray() - expected
        surprise = np.divide(surprise, spread, out=np.zeros_like(surprise), where=spread > 0)
        found[rows] = np.clip(surprise, -clip, clip)
    return found
