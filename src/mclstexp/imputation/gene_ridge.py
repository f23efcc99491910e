"""The default: what genes that go together in the cells do on the section, by ridge regression over genes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from mclstexp.core.errors import InputError
from mclstexp.core.imputer import Imputed, Imputer, register
from mclstexp.core.pairing import Pairing
from mclstexp.imputation.patterns import at_level, co_expression, z_scores

PENALTIES: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Penalties that are tried."""


@register("gene_ridge")
@dataclass
class GeneRidge(Imputer):
    """Ridge regression over genes: a gene is described by its z-scored vector over cells, its answer is its pattern.

    With K the correlation of genes over cells, the pattern is K_qs (K_ss + λ)⁻¹ Y_s; the penalty is chosen by leaving
    out single genes, in closed form.
    """

    penalty: float | None = None
    """λ; by default the best of 0.01 … 10 over left-out genes."""

    def __post_init__(self) -> None:
        if self.penalty is not None and not self.penalty > 0:
            msg = f"penalty must be positive, found {self.penalty}: leave it out to have it chosen"
            raise InputError(msg)

    def _impute(self, known: Pairing) -> Imputed:
        cells, patterns = z_scores(known.cells), z_scores(known.spots)
        kernel = cells.T @ cells / len(cells)
        penalties = PENALTIES if self.penalty is None else (self.penalty,)
        weights = ridge_over_genes(kernel, patterns.T, penalties=penalties)
        return Imputed(at_level(known, (co_expression(known) @ weights).T))


def ridge_over_genes(
    kernel: Float[np.ndarray, "n_genes n_genes"],
    patterns: Float[np.ndarray, "n_genes n_spots"],
    *,
    penalties: tuple[float, ...],
) -> Float[np.ndarray, "n_genes n_spots"]:
    """Return (K + λ)⁻¹ Y at the penalty of least squared error over left-out genes.

    Leaving out gene g errs by [(K + λ)⁻¹ Y]_g / [(K + λ)⁻¹]_gg, so that no fit is done twice.
    """
    values, vectors = np.linalg.eigh(kernel)
    values, turned = np.maximum(values, 0), vectors.T @ patterns
    best, least = np.empty(0), np.inf
    for penalty in penalties:
        weights = vectors @ (turned / (values + penalty)[:, None])
        own = (vectors**2) @ (1 / (values + penalty))
        error = float(np.mean((weights / own[:, None]) ** 2))
        if error < least:
            best, least = weights, error
    return best
