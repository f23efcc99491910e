"""Moran's I: how much neighbouring spots are alike in a gene."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import sparse

from mclstexp.core.gene_blocks import genes_in_blocks
from mclstexp.core.pearson import constant_truth
from mclstexp.data.neighbours import adjacency
from mclstexp.io.pitch import neighbour_distance_px


def neighbour_weights(xy_um: Float[np.ndarray, "n_spots 2"]) -> sparse.csr_matrix:
    """Weigh each spot's direct neighbours equally, their weights adding to 1.

    Neighbours are all spots within 1.25 times the array's pitch: six on a hexagonal array (the next lie at 1.73),
    four on a square one (the diagonal ones lie at 1.41). The pitch is the median distance of near neighbours.

    Parameters
    ----------
    xy_um
        (n_spots, 2) positions on one section.

    Returns
    -------
    Sparse (n_spots, n_spots); the row of a spot without neighbours is empty, all rows are for fewer than 3 spots.
    """
    pitch_um = neighbour_distance_px(xy_um)  # in the unit it is given
    if pitch_um is None:
        return sparse.csr_matrix((len(xy_um), len(xy_um)))
    near = adjacency(xy_um, radius_um=1.25 * pitch_um)
    n_near = np.asarray(near.sum(axis=1)).ravel()
    return sparse.csr_matrix(sparse.diags(1 / np.maximum(n_near, 1)) @ near)


@genes_in_blocks
def morans_i(values: Float[np.ndarray, "n_spots n_genes"], weights: sparse.csr_matrix) -> Float[np.ndarray, " n_genes"]:
    """Moran's I of each gene (Moran 1950): n / Σw · Σ w_ij z_i z_j / Σ z_i², z the deviation from the mean.

    Parameters
    ----------
    values
        (n_spots, n_genes) on one section.
    weights
        (n_spots, n_spots) of `neighbour_weights`.

    Returns
    -------
    (n_genes,): about 0 without spatial pattern, towards 1 for smooth ones, negative where neighbours differ more
    than others; NaN for a constant gene and where no spot has neighbours. Spots without neighbours count in the
    mean and in Σ z², as usual.
    """
    values = np.asarray(values, np.float64)
    z = values - values.mean(axis=0)
    found = np.full(values.shape[1], np.nan)
    spread = weights.sum() / len(values) * (z**2).sum(axis=0)
    np.divide((z * (weights @ z)).sum(axis=0), spread, out=found, where=~constant_truth(values) & (spread > 0))
    return found
