"""Pearson correlation per gene, with the field's two traps settled: constant truth and constant prediction."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def pearson_per_gene(
    truth: Float[np.ndarray, "n_spots n_genes"], predicted: Float[np.ndarray, "n_spots n_genes"]
) -> Float[np.ndarray, " n_genes"]:
    """Correlate truth and prediction over the spots of one section, gene by gene.

    Parameters
    ----------
    truth, predicted
        (n_spots, n_genes) in one expression space.

    Returns
    -------
    (n_genes,) in [-1, 1]: 0 where the prediction is constant (it says nothing, which must not raise a mean by
    being dropped), NaN where the truth is constant (nothing can be said).
    """
    truth, predicted = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    t, p = truth - truth.mean(axis=0), predicted - predicted.mean(axis=0)
    t_norm, p_norm = np.sqrt((t**2).sum(axis=0)), np.sqrt((p**2).sum(axis=0))
    # rounding leaves a constant column a spread of about 1e-16 of its size
    flat_t = t_norm <= 1e-12 * np.abs(truth).max(axis=0, initial=0) * np.sqrt(len(truth))
    flat_p = p_norm <= 1e-7 * np.abs(predicted).max(axis=0, initial=0) * np.sqrt(len(predicted))
    r = np.zeros(truth.shape[1])
    np.divide((t * p).sum(axis=0), t_norm * p_norm, out=r, where=~(flat_t | flat_p))
    r[flat_t] = np.nan
    return np.clip(r, -1, 1)
