"""Is the picture right: metrics of spatial pattern and of how genes go together.

A map can correlate well and still be too smooth, and genes predicted one by one can lose what binds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from skimage.metrics import structural_similarity

from mclstexp.core.gene_blocks import blocks
from mclstexp.core.pearson import PerGene, Values, constant_prediction, constant_truth
from mclstexp.data.autocorrelation import morans_i
from mclstexp.evaluation.answers import Answers

WINDOW: Final = 7
"""Side of the SSIM's window in spots: scikit-image's default."""
_MAX_CELLS_PER_SPOT = 1000  # sparser than any capture array: pixels taken for array positions
_BLOCK = 1024  # genes correlated with all others at a time


def ssim(truth: Values, predicted: Values, *, array_xy: Float[np.ndarray, "n_spots 2"] | None) -> PerGene:
    """Structural similarity of the two pictures of each gene on the capture array (Wang et al. 2004, eq. 13).

    A picture has one pixel per place of the array within the bounding box of the spots. Rows of a hexagonal array,
    whose neighbours differ by 2 in their column, are pushed together (column // 2), or every other pixel would be
    empty. A place without a spot gets the mean of its own picture, so that it adds no pattern to either. The index
    is scikit-image's: uniform window of 7 × 7, mirrored at the box's edge, K1 = 0.01, K2 = 0.03, sample covariance,
    data range that of the truth. It is averaged over the spots, not over the empty places.

    Parameters
    ----------
    truth, predicted
        (n_spots, n_genes) in one expression space.
    array_xy
        (n_spots, 2) (array column, array row).

    Returns
    -------
    (n_genes,) at most 1; NaN where the truth is constant, and for all genes where there is no array (or one with
    holes of NaN), two spots share a place on it, or the box is narrower than the window.
    """
    found = np.full(truth.shape[1], np.nan)
    place = None if array_xy is None else _raster(array_xy)
    if place is None:
        return found
    shape = tuple(place.max(axis=0) + 1)
    at = (place[:, 0], place[:, 1])
    for gene in np.flatnonzero(~constant_truth(truth)):
        pictures = []
        for values in (truth[:, gene].astype(np.float64), predicted[:, gene].astype(np.float64)):
            picture = np.full(shape, values.mean())
            picture[at] = values
            pictures.append(picture)
        span = float(np.ptp(truth[:, gene].astype(np.float64)))
        found[gene] = structural_similarity(*pictures, win_size=WINDOW, data_range=span, full=True)[1][at].mean()
    return found


def _raster(array_xy: Float[np.ndarray, "n_spots 2"]) -> Int[np.ndarray, "n_spots 2"] | None:
    """Return (row, column) of each spot's pixel from 0 on, or None where they make no picture."""
    if not np.isfinite(array_xy).all():
        return None
    column, row = np.rint(array_xy).astype(np.int64).T
    if len(np.unique((column + row) % 2)) == 1:
        column = column // 2
    place = np.column_stack([row - row.min(), column - column.min()])
    sides = place.max(axis=0) + 1
    too_sparse = sides.astype(np.float64).prod() > _MAX_CELLS_PER_SPOT * len(place)
    if sides.min() < WINDOW or too_sparse or len(np.unique(place, axis=0)) < len(place):
        return None
    return place


def moran_error(truth: Values, predicted: Values, *, weights: sparse.csr_matrix) -> PerGene:
    """Tell how far the prediction is from being as smooth as the truth: absolute difference of their Moran's I.

    Parameters
    ----------
    truth, predicted
        (n_spots, n_genes) of one section, in one expression space.
    weights
        (n_spots, n_spots) of `neighbour_weights`.

    Returns
    -------
    (n_genes,), 0 at best; a constant prediction has no pattern (I = 0). NaN where the truth is constant or no spot
    has neighbours.
    """
    predicted_i = np.where(constant_prediction(predicted), 0, morans_i(predicted, weights))
    return np.abs(predicted_i - morans_i(truth, weights))


def svg_recovery(truth: Values, predicted: Values, *, weights: sparse.csr_matrix, n_genes: int = 50) -> float:
    """Share of the truth's most spatially variable genes that are among the prediction's.

    Both are ranked by Moran's I over the genes whose truth is not constant; the first `n_genes` of each are
    compared, or the first tenth (at least one gene) where that is fewer. Chance finds about a tenth or less.

    Parameters
    ----------
    truth, predicted
        (n_spots, n_genes) of one section, in one expression space.
    weights
        (n_spots, n_spots) of `neighbour_weights`.
    n_genes
        How many genes are looked for at most.

    Returns
    -------
    In [0, 1]. A gene that is predicted constant is never found; panel order settles ties. NaN where every gene's
    truth is constant or no spot has neighbours.
    """
    wanted, given = most_variable(truth, predicted, weights=weights, n_genes=n_genes)
    return len(np.intersect1d(wanted, given)) / len(wanted) if len(wanted) else float("nan")


def most_variable(
    truth: Values, predicted: Values, *, weights: sparse.csr_matrix, n_genes: int = 50
) -> tuple[Int[np.ndarray, " n_wanted"], Int[np.ndarray, " n_given"]]:
    """Return the columns of the most spatially variable genes of truth and prediction, as `svg_recovery` compares them.

    Parameters
    ----------
    truth, predicted, weights, n_genes
        As in `svg_recovery`.

    Returns
    -------
    Columns of the truth's and of the prediction's, highest Moran's I first; none where every gene's truth is constant
    or no spot has neighbours.
    """
    of_truth = morans_i(truth, weights)
    known = np.flatnonzero(np.isfinite(of_truth))
    n_top = min(n_genes, max(1, len(known) // 10))
    varying = known[~constant_prediction(predicted[:, known])]
    wanted = known[np.argsort(-of_truth[known], kind="stable")[:n_top]]
    given = varying[np.argsort(-morans_i(predicted[:, varying], weights), kind="stable")[:n_top]]
    return wanted, given


def gene_correlation_error(truth: Values, predicted: Values) -> float:
    """Root mean squared difference of the gene-gene Pearson correlations of truth and prediction.

    Over all pairs of different genes whose truth is not constant. A gene that is predicted constant correlates
    with none (0).

    Parameters
    ----------
    truth, predicted
        (n_spots, n_genes) of one section, in one expression space.

    Returns
    -------
    In [0, 2], 0 at best; NaN for fewer than two such genes.
    """
    known = ~constant_truth(truth)
    n_known = int(known.sum())
    if n_known < 2:
        return float("nan")
    t, p = np.flatnonzero(known), np.flatnonzero(known & ~constant_prediction(predicted))
    total = 0.0
    for start in range(0, n_known, _BLOCK):
        some = t[start : start + _BLOCK]
        difference = _correlations(truth, some, t)
        difference[np.ix_(np.isin(some, p), np.isin(t, p))] -= _correlations(predicted, some[np.isin(some, p)], p)
        # a gene with itself is no pair
        difference[np.arange(len(some)), np.arange(start, start + len(some))] = 0
        total += float((difference**2).sum())
    return float(np.sqrt(total / (n_known * (n_known - 1))))


def _correlations(
    values: Values, some: Int[np.ndarray, " n"], others: Int[np.ndarray, " m"]
) -> Float[np.ndarray, "n m"]:
    """Correlate some columns, none constant, with others; a few spots at a time are in double precision."""
    mean = values.mean(axis=0, dtype=np.float64)
    shared, size = np.zeros((len(some), len(others))), np.zeros(values.shape[1])
    for rows in blocks(len(values), values.shape[1]):
        centred = values[rows] - mean
        size += (centred**2).sum(axis=0)
        shared += centred[:, some].T @ centred[:, others]
    length = np.sqrt(size)
    return shared / length[some, None] / length[others]


def unit_columns(values: Values, constant: np.ndarray) -> Values:
    """Centre each gene and scale it to length 1; 0 where constant. Products of two columns are their correlation."""
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    centred[:, constant] = 0
    length = np.sqrt((centred**2).sum(axis=0))
    return centred / np.where(length > 0, length, 1)


SECTION_METRICS: Final[dict[str, Callable[[Answers], float]]] = {
    "gene_correlation_error": lambda a: gene_correlation_error(a.truth, a.predicted),
    "svg_recovery": lambda a: svg_recovery(a.truth, a.predicted, weights=a.weights),
}
"""Metrics with one number per section, by name."""
