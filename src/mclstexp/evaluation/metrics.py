"""How near: metrics of one section, (truth, predicted) → one number per gene.

Two rules hold throughout. A constant prediction says nothing and is scored so (0, or 0.5 for the AUC); it is never
dropped, which would raise a mean. Where the truth is constant a comparison of patterns has no answer (NaN).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.special import entr, rel_entr
from scipy.stats import rankdata

from mclstexp.core.depth import beyond, depth_patterns
from mclstexp.core.gene_blocks import genes_in_blocks
from mclstexp.core.pearson import PerGene, Values, constant_prediction, constant_truth, pearson_per_gene
from mclstexp.evaluation.answers import Answers
from mclstexp.evaluation.structure import moran_error, ssim


def pcc(truth: Values, predicted: Values) -> PerGene:
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


@genes_in_blocks
def spearman(truth: Values, predicted: Values) -> PerGene:
    """Pearson correlation of the ranks, equal values sharing their mean rank: (n_genes,) in [-1, 1]."""
    ranks = np.where(constant_prediction(predicted), 0, rankdata(predicted, axis=0))
    return pearson_per_gene(np.where(constant_truth(truth), 0, rankdata(truth, axis=0)), ranks)


@genes_in_blocks
def pcc_depth(truth: Values, predicted: Values, *, depth: Float[np.ndarray, " n_spots"], powers: int = 1) -> PerGene:
    """Partial correlation given sequencing depth: what is left when both lose all that log depth explains.

    The Pearson correlation of the residuals of two least-squares lines over ln(1 + depth), which equals
    (r_tp - r_td r_pd) / sqrt((1 - r_td²)(1 - r_pd²)). Depth follows cell density, which is easily seen in an image
    and moves most genes at once.

    Parameters
    ----------
    truth, predicted
        (n_spots, n_genes) in one expression space.
    depth
        (n_spots,) total raw count of each spot.
    powers
        Of ln(1 + depth) that are taken out: more than one take a curve where the line would leave its bend.

    Returns
    -------
    (n_genes,) in [-1, 1]: 0 where the prediction is constant or follows from depth alone, NaN where the truth is or
    does. Plain Pearson where all depths are equal.
    """
    patterns = depth_patterns(np.log1p(depth.astype(np.float64)), powers=powers)
    t, t_left = beyond(truth, patterns)
    p, p_left = beyond(predicted, patterns)
    t_left &= ~constant_truth(truth)
    p_left &= ~constant_prediction(predicted)
    r = pearson_per_gene(t, np.where(p_left, p, 0))
    return np.where(t_left, r, np.nan)


@genes_in_blocks
def mse(truth: Values, predicted: Values) -> PerGene:
    """Mean squared error over the spots, (n_genes,); means nothing across expression spaces."""
    return np.mean((truth.astype(np.float64) - predicted) ** 2, axis=0)


@genes_in_blocks
def mae(truth: Values, predicted: Values) -> PerGene:
    """Mean absolute error over the spots, (n_genes,); means nothing across expression spaces."""
    return np.mean(np.abs(truth.astype(np.float64) - predicted), axis=0)


def r2(truth: Values, predicted: Values, *, train_mean: ArrayLike) -> PerGene:
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


@genes_in_blocks
def nrmse(truth: Values, predicted: Values) -> PerGene:
    """Root mean squared error over the range of the truth: (n_genes,), 0 at best."""
    return _over(np.sqrt(mse(truth, predicted)), np.ptp(truth.astype(np.float64), axis=0), truth)


@genes_in_blocks
def dispersion(truth: Values, predicted: Values) -> PerGene:
    """Variance of the prediction over that of the truth: (n_genes,), below 1 where differences are smoothed away."""
    return _over(predicted.var(axis=0, dtype=np.float64), truth.var(axis=0, dtype=np.float64), truth)


def _over(value: PerGene, unit: PerGene, truth: Values) -> PerGene:
    return np.divide(value, unit, out=np.full(len(value), np.nan), where=~constant_truth(truth))


@genes_in_blocks
def nmi(truth: Values, predicted: Values) -> PerGene:
    """Normalised mutual information MI / sqrt(H(truth) H(predicted)) of binned values, in any kind of relation.

    Both are cut into max(10, ⌊n_spots^(1/3)⌋) bins of equal frequency: a value's bin is ⌊bins · (rank - ½) / n⌋ with
    the mean rank for equal values, which therefore share a bin. Few spots make it positive by chance
    (about (bins - 1)² / 2n over the entropy).

    Returns
    -------
    (n_genes,) in [0, 1]: 0 for a constant prediction, NaN for a constant truth.
    """
    n_spots, n_genes = truth.shape
    n_bins = max(10, int(np.cbrt(n_spots)))
    bins = [np.floor(n_bins * (rankdata(values, axis=0) - 0.5) / n_spots) for values in (truth, predicted)]
    cell = ((np.arange(n_genes) * n_bins + bins[0]) * n_bins + bins[1]).astype(np.int64)
    joint = np.bincount(cell.ravel(), minlength=n_genes * n_bins**2).reshape(n_genes, n_bins, n_bins) / n_spots
    h_truth, h_predicted = (entr(joint.sum(axis=axis)).sum(axis=1) for axis in (2, 1))
    shared = h_truth + h_predicted - entr(joint).sum(axis=(1, 2))
    says_something = ~(constant_truth(truth) | constant_prediction(predicted))
    share = np.divide(
        shared, np.sqrt(np.maximum(h_truth * h_predicted, 0)), out=np.zeros(n_genes), where=says_something
    )
    return np.where(constant_truth(truth), np.nan, np.clip(share, 0, 1))


@genes_in_blocks
def js(truth: Values, predicted: Values) -> PerGene:
    """Jensen-Shannon divergence, in bits, of where the expression lies.

    Of truth and prediction each scaled to sum 1 over the spots, negative predictions taken as 0.

    Returns
    -------
    (n_genes,) in [0, 1], 0 at best: 1 where nothing positive is predicted, NaN for a constant truth and for one that is
    negative somewhere: residuals are no amounts.
    """
    negative = (truth < 0).any(axis=0)
    t, p = (np.maximum(values.astype(np.float64), 0) for values in (truth, predicted))
    t_sum, p_sum = t.sum(axis=0), p.sum(axis=0)
    t, p = t / np.where(t_sum > 0, t_sum, 1), p / np.where(p_sum > 0, p_sum, 1)
    middle = (t + p) / 2
    bits = (rel_entr(t, middle) + rel_entr(p, middle)).sum(axis=0) / (2 * np.log(2))
    bits = np.where(p_sum > 0, np.clip(bits, 0, 1), 1)
    return np.where(constant_truth(truth) | negative | (t_sum == 0), np.nan, bits)


@genes_in_blocks
def auc(counts: Values, predicted: Values) -> PerGene:
    """Area under the ROC curve of the prediction as a sign that the gene was detected (raw count > 0).

    Parameters
    ----------
    counts
        (n_spots, n_genes) raw counts: the truth here.
    predicted
        (n_spots, n_genes) expression.

    Returns
    -------
    (n_genes,) in [0, 1]: 0.5 by chance and for a constant prediction, NaN where all spots or none have a count.
    """
    seen = counts > 0
    n_seen = seen.sum(axis=0)
    n_pairs = n_seen * (len(counts) - n_seen)
    wins = (rankdata(predicted, axis=0) * seen).sum(axis=0) - n_seen * (n_seen + 1) / 2
    area = np.divide(wins, n_pairs, out=np.full(counts.shape[1], np.nan), where=n_pairs > 0)
    return np.where(constant_prediction(predicted) & (n_pairs > 0), 0.5, area)


GENE_METRICS: Final[dict[str, Callable[[Answers], PerGene]]] = {
    "pcc": lambda a: pcc(a.log_truth, a.predicted),
    "spearman": lambda a: spearman(a.truth, a.predicted),
    "pcc_depth": lambda a: pcc_depth(a.log_truth, a.predicted, depth=a.depth),
    "pcc_residual": lambda a: pcc(a.residual_truth, a.predicted),
    "mse": lambda a: mse(a.truth, a.predicted),
    "mae": lambda a: mae(a.truth, a.predicted),
    "r2": lambda a: r2(a.truth, a.predicted, train_mean=a.train_mean),
    "nrmse": lambda a: nrmse(a.truth, a.predicted),
    "ssim": lambda a: ssim(a.truth, a.predicted, array_xy=a.array_xy),
    "nmi": lambda a: nmi(a.truth, a.predicted),
    "js": lambda a: js(a.truth, a.predicted),
    "auc": lambda a: auc(a.counts, a.predicted),
    "dispersion": lambda a: dispersion(a.truth, a.predicted),
    "moran_error": lambda a: moran_error(a.truth, a.predicted, weights=a.weights),
}
"""Metrics with one number per gene and section, by name.

The three correlations ask the same questions of predictions on either scale: how much of the log expression, how much
of it when depth is known, how much of the residuals. All others are on the prediction's own scale.
"""
