"""How far one could get: the noise ceiling of a section, and the confound of sequencing depth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float
from scipy import sparse

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.pearson import pearson_per_gene


def noise_ceiling(
    counts: AnnData, *, space: ExpressionSpace, n_splits: int = 10, seed: int = 0
) -> Float[np.ndarray, " n_genes"]:
    """Estimate the PCC that a perfect predictor of the underlying rates would reach.

    Each count is split by a fair binomial into two halves, which for Poisson counts are independent measurements
    of the same rates at half the depth. With r the correlation of the halves (mean over `n_splits`), Spearman and
    Brown (1910) give the reliability of the whole as 2r / (1 + r); its square root bounds the correlation with
    anything free of this noise.

    Parameters
    ----------
    counts
        Raw counts of one section (a `Section.counts`).
    space
        Panel and scale on which predictions are scored.
    n_splits
        How many random splits are averaged.
    seed
        Of the splits.

    Returns
    -------
    (n_genes,) in [0, 1]: 0 where the halves do not agree at all, NaN where the truth is constant.

    Notes
    -----
    Approximate: the logarithm of half the depth is not exactly half the measurement.
    """
    rng = np.random.default_rng(seed)
    panel = space.panel(counts).astype(np.int64)
    r = np.zeros(panel.shape[1])
    for _ in range(n_splits):
        half = panel.copy()
        half.data = rng.binomial(panel.data, 0.5)
        # a half left without counts agrees with nothing
        r += np.nan_to_num(pearson_per_gene(_scale(half, space), _scale(panel - half, space))) / n_splits
    r = np.maximum(r, 0)
    truth = space(counts)
    return np.where(np.ptp(truth, axis=0) > 0, np.sqrt(2 * r / (1 + r)), np.nan)


def depth_oracle(counts: AnnData, *, space: ExpressionSpace) -> Float[np.ndarray, " n_genes"]:
    """PCC reached by knowing only each spot's total count, ln(1 + total over all measured genes).

    Not a predictor (it reads the truth) but a confound: scores near it may come from cell density alone.

    Parameters
    ----------
    counts
        Raw counts of one section (a `Section.counts`).
    space
        Panel and scale on which predictions are scored.

    Returns
    -------
    (n_genes,) in [-1, 1]; NaN where the truth is constant.
    """
    truth = space(counts)
    return pearson_per_gene(truth, np.broadcast_to(log_depth(counts)[:, None], truth.shape))


def log_depth(counts: AnnData) -> Float[np.ndarray, " n_spots"]:
    """Return ln(1 + total over all measured genes) of each spot."""
    return np.log1p(np.asarray(counts.X.sum(axis=1), np.float64).ravel())


def _scale(panel: sparse.csr_matrix, space: ExpressionSpace) -> np.ndarray:
    return space(AnnData(panel, var=pd.DataFrame(index=pd.Index(space.genes))))
