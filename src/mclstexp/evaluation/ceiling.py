"""How far one could get: the noise ceiling of a section, and the confound of sequencing depth."""

from __future__ import annotations

from typing import Final

import numpy as np
from anndata import AnnData
from jaxtyping import Float

from mclstexp.core.depth import beyond, depth_patterns
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.gene_blocks import genes_in_blocks
from mclstexp.core.pearson import PerGene, Values, constant_truth, pearson_per_gene
from mclstexp.evaluation.count_noise import noise_variance

_HARDLY: Final = 0.01
"""Mean reliability that an error of the noise variance by a hundredth would make."""
_FEW_GENES: Final = 10
"""Genes from which it cannot be seen how much the truths of genes differ."""


def reliability(counts: AnnData, *, space: ExpressionSpace, given_depth: bool = False, powers: int = 1) -> PerGene:
    """Estimate the share of each gene's variance that is not the noise of counting molecules.

    One less noise variance (`noise_variance`) over variance: what two measurements of the same rates would correlate
    by (Spearman 1904; Lord and Novick 1968, chapter 3). Halves of the counts, which are measured at half the depth,
    would say too much of the log scale: there depth moves the mean of a gene, and more so where counts are few.

    Parameters
    ----------
    counts
        Raw counts of one section (a `Section.counts`).
    space
        Panel and scale on which predictions are scored.
    given_depth
        Whether a gene first loses all that ln(1 + total count) explains, as in `metrics.pcc_depth`.
    powers
        Of ln(1 + total count) that it then loses.

    Returns
    -------
    (n_genes,) at most 1, NaN where the truth is constant. Nearly without bias, hence below 0 for about half of the
    genes that have no signal: average first (over sections), then take the root (`ceiling_of`).

    Notes
    -----
    Noise beyond Poisson's (swaps, loss while mapping) cannot be told from signal by one measurement. On the log scale
    rates of two kinds, 50 times apart, make the estimate too low by up to 0.05 in its root; ten times apart, by 0.01.
    """
    panel, truth = space.panel(counts), space(counts)
    n_spots, depth = len(truth), log_depth(counts)
    powers = powers if given_depth else 0
    n_left = n_spots - 1 - powers
    if n_left < 3:
        return np.full(truth.shape[1], np.nan)
    square, fourth = _moments(truth, depth, powers=powers).T
    known = ~constant_truth(truth) & (square > 0)
    square, mean = np.where(known, square, 1), np.asarray(panel.mean(axis=0)).ravel()
    # a variance of few or heavy-tailed values errs, its reciprocal upwards; of Poisson's own tail the noise has it too
    tail = np.maximum(fourth / square**2 - 1 - 1 / np.maximum(mean, 1 / n_spots), 2)
    share = noise_variance(panel, space) / (square * n_spots / n_left) * (1 - np.minimum(tail / n_spots, 1))
    return np.where(known, 1 - share, np.nan)


def ceiling_of(mean: PerGene, of_sections: Float[np.ndarray, "n_genes n_sections"] | None = None) -> PerGene:
    """Return the PCC that a perfect predictor would reach: the root of the mean reliability.

    A mean below 0 says that nothing was measured. Its sign is kept, for cut off at 0 genes without signal would seem to
    have some, in the mean over genes; of one gene, or one mean, a ceiling below 0 is shown as 0. And the root bends: of
    means that err, each as often up as down, it is too low on average where they are small. So the genes' means are
    first drawn together until they differ by as much as their truths do (Louis 1984), how far they err being seen
    between sections; unless all genes together have hardly any reliability (0.01, or three standard errors). That is
    for means over genes; to judge one gene take its mean as it is.

    Parameters
    ----------
    mean
        (n_genes,) reliability, averaged over sections; NaN stays.
    of_sections
        (n_genes, n_sections) what was averaged, NaN where there is none. Without it, or with one section, means are
        taken as they are.

    Returns
    -------
    (n_genes,) in [-1, 1].
    """
    if of_sections is not None:
        mean = _drawn_together(mean, of_sections)
    return np.clip(np.sign(mean) * np.sqrt(np.abs(mean)), -1, 1)


def _drawn_together(mean: PerGene, of_sections: Float[np.ndarray, "n_genes n_sections"]) -> PerGene:
    n_known = np.isfinite(of_sections).sum(axis=1)
    several = np.isfinite(mean) & (n_known > 1)
    if several.sum() <= _FEW_GENES:
        return mean
    error = float(np.mean(np.nanvar(of_sections[several], axis=1, ddof=1) / n_known[several]))
    centre, spread = float(mean[several].mean()), float(mean[several].var(ddof=1))
    if spread <= 0 or centre <= max(_HARDLY, 3 * np.sqrt(error / several.sum())):
        return mean
    kept = np.sqrt(max(0.0, 1 - error / spread))
    return np.where(several, centre + kept * (mean - centre), mean)


def noise_ceiling(counts: AnnData, *, space: ExpressionSpace, given_depth: bool = False) -> PerGene:
    """Estimate the PCC that a perfect predictor of the underlying rates would reach on one section.

    Of several sections average their `reliability` and take `ceiling_of` it.

    Parameters
    ----------
    counts, space, given_depth
        See `reliability`.

    Returns
    -------
    (n_genes,) in [-1, 1], see `ceiling_of`; NaN where the truth is constant.
    """
    return ceiling_of(reliability(counts, space=space, given_depth=given_depth))


def depth_oracle(counts: AnnData, *, space: ExpressionSpace) -> PerGene:
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


@genes_in_blocks
def _moments(truth: Values, depth: Float[np.ndarray, " n_spots"], *, powers: int) -> Float[np.ndarray, "n_genes 2"]:
    """Return mean square and mean fourth power of what powers of log depth leave of each gene."""
    square = beyond(truth, depth_patterns(depth, powers=powers))[0] ** 2
    return np.stack([square.mean(axis=0), (square**2).mean(axis=0)], axis=1)
