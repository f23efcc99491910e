"""`LinearOutcomeModel`: a model that describes each patient by columns and weighs them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.cohort.folds import inner_folds
from mclstexp.cohort.linear.choice import Fit, ridges
from mclstexp.cohort.linear.clinic import GROUP, Clinic
from mclstexp.cohort.linear.columns import Columns
from mclstexp.cohort.linear.weights import INTERCEPT, Weights
from mclstexp.cohort.regression.likelihood import Design, Likelihood
from mclstexp.core.cohort import Outcomes, Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.outcome_model import OutcomeModel

N_INNER: Final = 3
"""Inner folds by which a penalty is chosen."""


@dataclass
class LinearOutcomeModel(OutcomeModel):
    """A penalised regression: Cox's of survival (ties by Efron), logistic of yes or no, least squares of numbers.

    Subclasses write `_learn` (what columns are made of, from patients alone), `_columns`, and the penalties that are
    tried; with them what `_learn` learnt goes into the state. The model's columns are standardised on the training
    patients. A penalty λ stands beside the log-likelihood of all of them as ½ λ β². Several are chosen among by inner
    folds, of whole sites where there are enough; what columns are made of knows no outcome and is not learnt again in
    these.
    """

    beside_clinic: ClassVar[bool] = False
    """Whether the clinic's covariates stand beside its own columns, without penalty: ``clinical+NAME``."""

    by_site: bool = False
    """Of survival: whether patients are compared within their site alone, each site with a hazard of its own."""
    min_known: float = 0.8
    """Share of the training patients for whom a covariate of the clinic must be known."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_known <= 1:
            msg = f"min_known from 0 to 1 expected, found {self.min_known}"
            raise InputError(msg)

    def _fit(self, patients: Patients, outcomes: Outcomes) -> Float[np.ndarray, " n_patients"]:
        strata = None
        if self.by_site:
            if patients.sites is None:
                msg = f"sites expected for {self.name} by site, found none: name their column, or leave by_site out"
                raise InputError(msg)
            strata = np.unique(patients.sites, return_inverse=True)[1]
        self.clinic_ = Clinic.fit(patients.covariates, min_known=self.min_known) if self.beside_clinic else None
        columns = self._beside(patients, self._learn(patients))
        place = {name: row for row, name in enumerate(patients.ids)}
        inner = inner_folds(patients, outcomes, n_folds=N_INNER, seed=self.seed)
        folds = [np.array([place[name] for name in out]) for _, out in inner]
        self.weights_ = Weights.fit(columns, outcomes, self._how, folds=folds, strata=strata)
        return self.weights_.scores(columns)

    def _predict(self, patients: Patients) -> Float[np.ndarray, " n_patients"]:
        return self.weights_.scores(self._beside(patients, self._columns(patients)))

    def _beside(self, patients: Patients, columns: Columns) -> Columns:
        return columns if self.clinic_ is None else self.clinic_.columns(patients.covariates).beside(columns)

    def _how(self, likelihood: Likelihood, design: Design, groups: Sequence[str]) -> Fit:  # noqa: ARG002  for nets
        """Return what fits all choices; those of `_penalties` unless overridden."""
        free = {INTERCEPT: 0.0, **({GROUP: 0.0} if self.beside_clinic else {})}
        return ridges([np.array([{**choice, **free}[group] for group in groups]) for choice in self._penalties()])

    def explain(self) -> dict[str, pd.DataFrame]:
        """See `OutcomeModel.explain`: "coefficients", by standard deviation of each column."""
        return {"coefficients": self.weights_.table()}

    def _get_state(self) -> State:
        clinic = State({}, {}) if self.clinic_ is None else self.clinic_.state()
        return self.weights_.state().joined(clinic).joined(self._learnt())

    def _set_state(self, state: State) -> None:
        self.weights_ = Weights.of_state(state)
        self.clinic_ = Clinic.of_state(state, among=self.columns_["covariates"]) if self.beside_clinic else None
        self._take_back(state)

    def _penalties(self) -> list[Mapping[str, float]]:
        """Return λ of each group of columns, for each choice; the one that holds back most first."""
        return [{}]

    @abstractmethod
    def _learn(self, patients: Patients) -> Columns:
        """Learn what columns are made of, for which no outcome is needed, and return those of these patients."""

    @abstractmethod
    def _columns(self, patients: Patients) -> Columns:
        """Describe each patient; a row depends on that patient alone."""

    def _learnt(self) -> State:
        """Return what `_learn` learnt."""
        return State({}, {})

    def _take_back(self, state: State) -> None:
        """Take back what `_learnt` returned."""


def choices(penalty: float | None, tried: Sequence[float], **others: float) -> list[Mapping[str, float]]:
    """Return the penalties that are tried of a group "own", the largest first, or the one that was said.

    Raises
    ------
    InputError
        If it is not above 0.
    """
    if penalty is not None and not penalty > 0:
        msg = f"a penalty above 0 expected, found {penalty}: leave it out to have it chosen"
        raise InputError(msg)
    own = sorted(tried, reverse=True) if penalty is None else [penalty]
    return [{"own": value, **others} for value in own]
