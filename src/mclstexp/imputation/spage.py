"""SpaGE (Abdelaal and others 2020): cells and spots in the directions that both vary in; means of the nearest cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.imputer import Imputed, Imputer, register
from mclstexp.core.pairing import Pairing
from mclstexp.imputation.patterns import z_scores


@register("spage")
@dataclass
class SpaGE(Imputer):
    """Means of the nearest cells, in principal vectors that spots and cells share (Abdelaal and others 2020)."""

    n_components: int = 50
    """Principal components of spots and of cells (fewer where there are fewer genes, spots or cells)."""
    least_cosine: float = 0.3
    """Pairs of principal vectors of a smaller cosine are not used."""
    k: int = 50
    """Cells that are averaged for a spot; those at a right angle or beyond are left out."""

    def __post_init__(self) -> None:
        if self.n_components < 1 or self.k < 1:
            msg = f"n_components and k must be at least 1, found {self.n_components} and {self.k}"
            raise InputError(msg)
        if not 0 <= self.least_cosine < 1:
            msg = f"least_cosine must lie from 0 to below 1, found {self.least_cosine}"
            raise InputError(msg)

    def _impute(self, known: Pairing) -> Imputed:
        spots, cells = z_scores(known.spots), z_scores(known.cells)
        shared = principal_vectors(cells, spots, n_components=self.n_components, least_cosine=self.least_cosine)
        weights = nearest_cells(spots @ shared.T, cells @ shared.T, k=self.k)
        return Imputed(np.asarray((weights @ known.asked).todense()))


def principal_vectors(
    cells: Float[np.ndarray, "n_cells n_genes"],
    spots: Float[np.ndarray, "n_spots n_genes"],
    *,
    n_components: int,
    least_cosine: float,
) -> Float[np.ndarray, "n_vectors n_genes"]:
    """Return directions of the cells that lie nearest to directions of the spots; the first one at least."""
    q = min(n_components, spots.shape[1], len(spots) - 1, len(cells) - 1)
    of_cells, of_spots = (np.linalg.svd(values, full_matrices=False)[2][:q] for values in (cells, spots))
    turn, cosines, _ = np.linalg.svd(of_cells @ of_spots.T)
    n_alike = max(1, int((cosines > least_cosine).sum()))
    return (turn.T @ of_cells)[:n_alike]


def nearest_cells(
    spots: Float[np.ndarray, "n_spots n"], cells: Float[np.ndarray, "n_cells n"], *, k: int
) -> sparse.csr_matrix:
    """Return (n_spots, n_cells) weights of the k nearest cells by cosine distance d, (1 - d / Σd) / (k - 1).

    Of those at a distance below 1; where there is none, the nearest alone.
    """
    a, b = (values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12) for values in (spots, cells))
    distance = 1 - a @ b.T
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :k]
    weights = sparse.lil_matrix((len(spots), len(cells)))
    for spot, some in enumerate(nearest):
        d = distance[spot, some]
        near = d < 1
        if near.sum() < 2:
            weights[spot, some[0]] = 1.0
            continue
        d = np.maximum(d[near], 0)
        total = d.sum()
        weights[spot, some[near]] = (1 - d / total) / (len(d) - 1) if total > 0 else 1 / len(d)
    return weights.tocsr()
