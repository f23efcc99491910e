"""Pearson correlation per gene, with the field's two traps settled: constant truth and constant prediction."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from mclstexp.core.gene_blocks import genes_in_blocks

Values = Float[np.ndarray, "n_spots n_genes"]
PerGene = Float[np.ndarray, " n_genes"]


@genes_in_blocks
def pearson_per_gene(truth: Values, predicted: Values) -> PerGene:
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
    flat_t = constant_truth(truth)
    r = np.zeros(truth.shape[1])
    np.divide((t * p).sum(axis=0), t_norm * p_norm, out=r, where=~(flat_t | constant_prediction(predicted)))
    r[flat_t] = np.nan
    return np.clip(r, -1, 1)


def constant_truth(truth: Values) -> Bool[np.ndarray, " n_genes"]:
    """Say which genes are equal in all spots but for the rounding of their mean."""
    # rounding leaves a constant column a spread of about 1e-16 of its size
    return _spread_within(truth, 1e-12)


def constant_prediction(predicted: Values) -> Bool[np.ndarray, " n_genes"]:
    """Say which genes are predicted equal in all spots but for the rounding of single-precision arithmetic."""
    return _spread_within(predicted, 1e-7)


@genes_in_blocks
def _spread_within(values: Values, share: float) -> Bool[np.ndarray, " n_genes"]:
    values = np.asarray(values, np.float64)
    spread = np.sqrt(((values - values.mean(axis=0)) ** 2).sum(axis=0))
    return spread <= share * np.abs(values).max(axis=0, initial=0) * np.sqrt(len(values))
