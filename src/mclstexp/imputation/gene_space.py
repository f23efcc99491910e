"""A small space for genes: what they do on the section in few numbers, and what the cells say of them in few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mclstexp.core.pairing import Pairing
from mclstexp.imputation.patterns import co_expression, z_scores


@dataclass(frozen=True, eq=False)
class GeneSpace:
    """Made of some genes that are learnt from; every other gene is read in it without having shaped it."""

    maps: Float[np.ndarray, "n_maps n_spots"]
    """Orthonormal patterns over the spots."""
    spread: Float[np.ndarray, " n_maps"]
    """Standard deviation of the genes along each."""
    answers: Float[np.ndarray, "n_genes n_maps"]
    """Of all genes that are learnt from: their patterns along the maps, in units of the spread."""
    scores: Float[np.ndarray, "n_genes n_scores"]
    """What the cells say of the same genes: principal scores, of variance 1 among those that made the space."""
    asked: Float[np.ndarray, "n_targets n_scores"]
    """What the cells say of the genes that are asked for."""

    def patterns(self, answers: Float[np.ndarray, "*n n_maps"]) -> Float[np.ndarray, "*n n_spots"]:
        """Turn answers into z-scores over the spots."""
        return (answers * self.spread) @ self.maps


def gene_space(
    known: Pairing, *, genes: NDArray[np.intp], made_of: NDArray[np.intp], n_maps: int, n_scores: int
) -> GeneSpace:
    """Make the space of some genes.

    Parameters
    ----------
    known
        What is seen.
    genes
        Columns of the genes that are learnt from, (n_genes,).
    made_of
        Which of them (places in `genes`) shape the space.
    n_maps, n_scores
        Numbers kept on either side (fewer where there are fewer genes or spots).
    """
    patterns = z_scores(known.spots)[:, genes].T
    maps, size = _axes(patterns[made_of], n_maps)
    spread = size / np.sqrt(len(made_of))
    cells = z_scores(known.cells)
    together = cells[:, genes].T @ cells[:, genes[made_of]] / len(cells)
    values, vectors = np.linalg.eigh(together[made_of])
    order = np.argsort(-values)[:n_scores]
    kept = order[values[order] > 1e-9 * values.max()]
    scores = together @ vectors[:, kept] / np.sqrt(values[kept])
    unit = np.maximum(scores[made_of].std(axis=0), 1e-9)
    asked = co_expression(known)[:, genes[made_of]] @ vectors[:, kept] / np.sqrt(values[kept])
    return GeneSpace(maps, spread, patterns @ maps.T / spread, scores / unit, asked / unit)


def _axes(
    patterns: Float[np.ndarray, "n_genes n_spots"], n: int
) -> tuple[Float[np.ndarray, "n_maps n_spots"], Float[np.ndarray, " n_maps"]]:
    _, size, axes = np.linalg.svd(patterns, full_matrices=False)
    n_kept = min(n, int((size > 1e-9 * size[0]).sum()))
    return axes[:n_kept], size[:n_kept]
