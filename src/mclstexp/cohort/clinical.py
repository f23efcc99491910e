"""The bar: what the clinic knows, age, sex and stage above all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mclstexp.cohort.linear.clinic import GROUP, Clinic
from mclstexp.cohort.linear.columns import Columns
from mclstexp.cohort.linear.model import LinearOutcomeModel, choices
from mclstexp.core.cohort import Part, Patients
from mclstexp.core.method import State
from mclstexp.core.outcome_model import register


@register("clinical")
@dataclass
class ClinicalModel(LinearOutcomeModel):
    """Covariates of the clinic; every other model is to be compared with it.

    Numbers (a stage is one: 1 to 4) go in as they are, text as categories; what is missing is the training mean, with a
    column that says so where it often is. With stage it beats what is published of slides in most tumours.
    """

    penalty: float = 1.0
    """λ, of each column."""

    def __post_init__(self) -> None:
        super().__post_init__()
        choices(self.penalty, ())

    @property
    def takes(self) -> frozenset[Part]:
        """What of patients it looks at."""
        return frozenset({"covariates"})

    def _learn(self, patients: Patients) -> Columns:
        self.covariates_ = Clinic.fit(patients.covariates, min_known=self.min_known)
        return self._columns(patients)

    def _columns(self, patients: Patients) -> Columns:
        return self.covariates_.columns(patients.covariates)

    def _penalties(self) -> list[Mapping[str, float]]:
        return [{GROUP: self.penalty}]

    def _learnt(self) -> State:
        return self.covariates_.state()

    def _take_back(self, state: State) -> None:
        self.covariates_ = Clinic.of_state(state, among=self.columns_["covariates"])
