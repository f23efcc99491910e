"""The mean pattern of the genes that go along with a gene in the cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mclstexp.core.errors import InputError
from mclstexp.core.imputer import Imputed, Imputer, register
from mclstexp.core.pairing import Pairing
from mclstexp.imputation.patterns import at_level, co_expression, z_scores


@register("gene_knn")
@dataclass
class GeneKnn(Imputer):
    """The mean pattern on the section of the genes most correlated with a gene over the cells."""

    k: int = 20
    """Genes that are averaged (fewer where fewer are shared)."""

    def __post_init__(self) -> None:
        if self.k < 1:
            msg = f"k must be at least 1, found {self.k}"
            raise InputError(msg)

    def _impute(self, known: Pairing) -> Imputed:
        nearest = np.argsort(-co_expression(known), axis=1, kind="stable")[:, : self.k]
        patterns = z_scores(known.spots)
        means = np.stack([patterns[:, some].mean(axis=1) for some in nearest], axis=1)
        return Imputed(at_level(known, means))
