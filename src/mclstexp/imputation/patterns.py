"""Patterns of genes without their level: z-scores over spots and over cells, and the way back to a level."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import sparse

from mclstexp.core.pairing import Pairing


def z_scores(values: Float[np.ndarray, "n n_genes"]) -> Float[np.ndarray, "n n_genes"]:
    """Bring each gene to mean 0 and variance 1; one that does not vary becomes 0."""
    centred = values - values.mean(axis=0)
    spread = values.std(axis=0)
    return centred / np.where(spread > 0, spread, 1)


def moments(values: sparse.csc_matrix) -> tuple[Float[np.ndarray, " n_genes"], Float[np.ndarray, " n_genes"]]:
    """Return mean and standard deviation of each column."""
    mean = np.asarray(values.mean(axis=0)).ravel()
    square = np.asarray(values.multiply(values).mean(axis=0)).ravel()
    return mean, np.sqrt(np.maximum(square - mean**2, 0))


def co_expression(known: Pairing) -> Float[np.ndarray, "n_targets n_genes"]:
    """Correlate each gene that is asked for with each that is learnt from, over the cells of the reference.

    0 for a gene that no cell or every cell alike expresses.
    """
    cells = z_scores(known.cells)
    spread = moments(known.asked)[1]
    shared = (known.asked.T @ cells) / len(cells)  # the cells' z-scores have no mean
    return np.asarray(shared) / np.where(spread > 1e-12, spread, np.inf)[:, None]


def at_level(
    known: Pairing, patterns: Float[np.ndarray, "n_spots n_targets"]
) -> Float[np.ndarray, "n_spots n_targets"]:
    """Give patterns (z-scores over spots) the mean and spread that their genes are likely to have on the section.

    Both are read off a line through the genes that are learnt from: mean (spread) on the section over mean (spread) in
    the reference. No spread below the smallest that a gene on the section has, nor above the largest.
    """
    mean, spread = moments(known.asked)
    found = known.spots.std(axis=0)
    at_mean = np.polyval(_line(known.cells.mean(axis=0), known.spots.mean(axis=0)), mean)
    at_spread = np.polyval(_line(known.cells.std(axis=0), found), spread)
    return at_mean + patterns * np.clip(at_spread, found.min(), found.max())


def _line(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Float[np.ndarray, "2"]:
    """Return slope and intercept of the least-squares line; a level one where x does not vary."""
    varies = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / varies if varies > 1e-12 else 0.0
    return np.array([slope, y.mean() - slope * x.mean()])
