"""The bridge: which pathway matters in which kind of tissue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.cohort.linear.columns import Columns
from mclstexp.cohort.linear.model import choices
from mclstexp.cohort.linear.pathways import PathwayColumns, Source, part_of
from mclstexp.cohort.linear.standard import Standard
from mclstexp.cohort.prototype_shares import PrototypeShares
from mclstexp.core.cohort import Part, Patients
from mclstexp.core.method import State
from mclstexp.core.outcome_model import register

PRODUCT_PENALTIES: Final = (10.0, 30.0, 100.0, 300.0)
"""Penalties that are tried for products."""
MAIN_PENALTY: Final = 1.0
"""λ of shares and scores themselves."""
_TIMES: Final = " × "  # noqa: RUF001  as products are written


@register("prototype_x_pathway")
@dataclass
class PrototypeXPathway(PrototypeShares):
    """Shares of kinds of tiles, pathway scores, and the products of each with each, ridge regression.

    Products of standardised columns are standardised again. Shares and scores are held back by λ = 1, products by more.
    """

    reads: Source = "scores"
    """Scores of pathways as they are given, or expression, of which a pathway's score is the mean z of its genes."""
    products: bool = True
    """Whether products are there; without them slide and pathways only add up."""
    penalty: float | None = None
    """λ of the products; by default chosen in inner folds."""

    @property
    def takes(self) -> frozenset[Part]:
        """What of patients it looks at."""
        return frozenset({"bags", part_of(self.reads)})

    def _learn_more(self, patients: Patients, shares: Float[np.ndarray, "n_patients k"]) -> None:
        self.pathways_ = PathwayColumns.fit(patients, self.reads, name=self.name)
        self.spread_ = Standard.fit(self._described(shares))

    def _of_shares(self, shares: Float[np.ndarray, "n_patients k"], patients: Patients) -> Columns:
        scores, shares = self.pathways_.values(patients), self.spread_(self._described(shares))
        columns = Columns.of(shares, self.prototypes_.names, group="main").beside(
            Columns.of(scores, self.pathways_.names, group="main")
        )
        if not self.products:
            return columns
        pairs = (shares[:, :, None] * scores[:, None, :]).reshape(len(shares), -1)
        names = [f"{kind}{_TIMES}{pathway}" for kind in self.prototypes_.names for pathway in self.pathways_.names]
        return columns.beside(Columns.of(pairs, names, group="own"))

    def _usual_shares(self) -> Float[np.ndarray, " k"]:
        return self.spread_.mean

    def _penalties(self) -> list[Mapping[str, float]]:
        tried = choices(self.penalty, PRODUCT_PENALTIES, main=MAIN_PENALTY)
        return tried if self.products else tried[:1]

    def explain(self) -> dict[str, pd.DataFrame]:
        """See `OutcomeModel.explain`: as of shares, and "products", prototypes by pathways."""
        said = super().explain()
        if self.products:
            of = said["coefficients"].set_index("column")["coefficient"]
            rows = [[of[f"{kind}{_TIMES}{j}"] for j in self.pathways_.names] for kind in self.prototypes_.names]
            said["products"] = pd.DataFrame(rows, index=self.prototypes_.names, columns=list(self.pathways_.names))
        return said

    def _learnt(self) -> State:
        return super()._learnt().joined(self.pathways_.state()).joined(self.spread_.state("shares"))

    def _take_back(self, state: State) -> None:
        super()._take_back(state)
        self.pathways_ = PathwayColumns.of_state(state, among=self.columns_[part_of(self.reads)])
        self.spread_ = Standard.of_state(state, "shares", columns=len(self.prototypes_.centres))
