"""``clinical+NAME``: any model beside the clinic's covariates, which are held back by nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.cohort.clinical import ClinicalModel
from mclstexp.cohort.folds import inner_folds
from mclstexp.cohort.linear.choice import Fit, ridges
from mclstexp.cohort.linear.clinic import Clinic
from mclstexp.cohort.linear.columns import Columns
from mclstexp.cohort.linear.model import N_INNER, LinearOutcomeModel
from mclstexp.cohort.linear.weights import Weights
from mclstexp.cohort.regression.likelihood import Design, Likelihood
from mclstexp.core.cohort import Outcomes, Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import State, options
from mclstexp.core.outcome_model import CLINIC, OutcomeModel

_MIN_KNOWN: Final = 0.8
"""Share of the training patients for whom a covariate must be known, as the clinical model has it."""


@cache
def beside_clinic(of: type[OutcomeModel]) -> type[OutcomeModel]:
    """Return the model that stands beside the clinic; its options are the model's own.

    A linear model gets the covariates as columns without penalty. Of any other the risk becomes one column beside them;
    what it weighs is learnt from risks of patients that it was not fitted on, in inner folds, so that a model that
    learnt noise weighs nothing.

    Raises
    ------
    InputError
        If it is the clinical model itself, or looks at nothing.
    """
    if issubclass(of, ClinicalModel) or not of().takes:
        msg = f"a model that looks at more than the clinic expected after {CLINIC}, found {of.name!r}: choose another"
        raise InputError(msg)
    linear = issubclass(of, LinearOutcomeModel)
    about = {
        "__module__": of.__module__,
        "__doc__": f"The clinic's covariates, and: {of.__doc__}",
        "name": CLINIC + of.name,
        "takes": property(lambda self: of.takes.fget(self) | {"covariates"}),  # type: ignore[attr-defined]  # a property
    }
    if linear:
        return type(f"ClinicalAnd{of.__name__}", (of,), about | {"beside_clinic": True})
    return type(f"ClinicalAnd{of.__name__}", (_Stacked, of), about | {"alone": of})


class _Stacked(OutcomeModel):
    """A model whose risk is one more covariate; mixed in before it."""

    alone: type[OutcomeModel]

    def _fit(self, patients: Patients, outcomes: Outcomes) -> Float[np.ndarray, " n_patients"]:
        self.clinic_ = Clinic.fit(patients.covariates, min_known=_MIN_KNOWN)
        clinic = self.clinic_.columns(patients.covariates)
        place = {name: row for row, name in enumerate(patients.ids)}
        unseen, folds = np.empty(len(patients)), []
        for kept, out in inner_folds(patients, outcomes, n_folds=N_INNER, seed=getattr(self, "seed", 0)):
            model = self.alone(**options(self)).fit(patients.subset(kept), outcomes.subset(kept))
            folds.append(np.array([place[name] for name in out]))
            risk = model.predict(patients.subset(out)).risk
            unseen[folds[-1]] = risk - risk.mean()  # of one fit: another's has another level
        found = super()._fit(patients, outcomes)  # type: ignore[safe-super]  # the model it is mixed into
        own = super()._predict(patients) if found is None else found  # type: ignore[safe-super]
        self.level_ = float(own.mean())
        for used in (unseen, np.zeros(len(patients))):
            columns = clinic.beside(_risk(used))
            self.weights_ = Weights.fit(columns, outcomes, _how, folds=folds, strata=None)
            if self.weights_.coefficients[-1] >= 0:  # else what it says is noise
                break
        return self.weights_.scores(columns)  # of patients unseen: those of seen ones are spread too far

    def _predict(self, patients: Patients) -> Float[np.ndarray, " n_patients"]:
        own = super()._predict(patients) - self.level_  # type: ignore[safe-super]
        return self.weights_.scores(self.clinic_.columns(patients.covariates).beside(_risk(own)))

    def _survival(
        self, patients: Patients, risk: Float[np.ndarray, " n_patients"], months: Float[np.ndarray, " n_times"]
    ) -> Float[np.ndarray, "n_patients n_times"]:
        return OutcomeModel._survival(self, patients, risk, months)  # of both, not the model's own

    @property
    def _own_level(self) -> float:
        return self.level_

    def explain_tiles(self, patients: Patients) -> Iterator[tuple[str, pd.DataFrame]]:
        """See `OutcomeModel.explain_tiles`: what the model says of tiles, as much as its risk weighs."""
        standard = self.weights_.standard
        factor = self.weights_.coefficients[-1] / standard.spread[-1] if standard.varies[-1] else 0.0
        for name, tiles in super().explain_tiles(patients):
            yield name, tiles.assign(risk=factor * tiles["risk"])

    def explain(self) -> dict[str, pd.DataFrame]:
        """See `OutcomeModel.explain`: what the model says alone, and "coefficients" of it beside the clinic."""
        return {**super().explain(), "coefficients": self.weights_.table()}

    def _get_state(self) -> State:
        kept = self.weights_.state().joined(self.clinic_.state()).joined(State({}, {"level": self.level_}))
        alone = super()._get_state()  # type: ignore[safe-super]
        beside = State({f"beside.{name}": array for name, array in kept.arrays.items()}, {"beside": kept.meta})
        return alone.joined(beside)

    def _set_state(self, state: State) -> None:
        super()._set_state(state)  # type: ignore[safe-super]
        start = "beside."
        arrays = {name.removeprefix(start): a for name, a in state.arrays.items() if name.startswith(start)}
        kept = State(arrays, state.meta["beside"])
        self.weights_ = Weights.of_state(kept)
        self.clinic_ = Clinic.of_state(kept, among=self.columns_["covariates"])
        self.level_ = float(kept.meta["level"])


def _risk(values: Float[np.ndarray, " n"]) -> Columns:
    return Columns.of(values[:, None], ["risk of the model"], group="risk")


def _how(likelihood: Likelihood, design: Design, groups: Sequence[str]) -> Fit:  # noqa: ARG001  the same for all
    return ridges([np.array([1.0 if group == "risk" else 0.0 for group in groups])])
