"""How near: metrics of one section, (truth, predicted) → one number per gene."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from mclstexp.core.pearson import pearson_per_gene

Truth = Float[np.ndarray, "n_spots n_genes"]
PerGene = Float[np.ndarray, " n_genes"]


def pcc(truth: Truth, predicted: Truth) -> PerGene:
    """Pearson correlation over the spots: 0 for a constant prediction, NaN for a constant truth.

    Parameters
    ----------
    truth, predicted
        (n_spots, n_genes) in one expression space, spots of one section. Pooling sections would mix differences
        between sections into the correlation.

    Returns
    -------
    (n_genes,) in [-1, 1].
    """
    return pearson_per_gene(truth, predicted)


def mse(truth: Truth, predicted: Truth) -> PerGene:
    """Mean squared error over the spots, (n_genes,); means nothing across expression spaces."""
    return np.mean((truth.astype(np.float64) - predicted) ** 2, axis=0)


def mae(truth: Truth, predicted: Truth) -> PerGene:
    """Mean absolute error over the spots, (n_genes,); means nothing across expression spaces."""
    return np.mean(np.abs(truth.astype(np.float64) - predicted), axis=0)


def r2(truth: Truth, predicted: Truth, *, train_mean: ArrayLike) -> PerGene:
    """Share of the squared error of the training mean that the prediction removes.

    1 - Σ(truth - predicted)² / Σ(truth - train_mean)², out of sample: the baseline is what was known before the
    test, so the mean of the training spots scores exactly 0 and worse ones score below.

    Parameters
    ----------
    truth, predicted
        (n_spots, n_genes) in one expression space.
    train_mean
        (n_genes,) mean of each gene over the training spots.

    Returns
    -------
    (n_genes,) at most 1; NaN where the training mean makes no error.
    """
    base = mse(truth, np.broadcast_to(np.asarray(train_mean), truth.shape))
    gain = np.full(truth.shape[1], np.nan)
    np.divide(base - mse(truth, predicted), base, out=gain, where=base > 0)
    return gain
