"""`Weights`: what each column of a linear model counts, fitted and kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from mclstexp.cohort.linear.choice import Fit, choose, ridges
from mclstexp.cohort.linear.columns import Columns
from mclstexp.cohort.linear.standard import Standard
from mclstexp.cohort.regression.cox import Cox
from mclstexp.cohort.regression.likelihood import Design, Gaussian, Likelihood, Logistic
from mclstexp.core.cohort import Outcomes
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.stored import stored_arrays, stored_number, stored_texts

INTERCEPT: Final = "intercept"
"""Group of the column of ones, which is free."""
How = Callable[[Likelihood, Design, Sequence[str]], Fit]
"""Given a likelihood, a design and the group of each of its columns, what fits all choices of a penalty."""


@dataclass(frozen=True, eq=False)
class Weights:
    """A linear score of standardised columns."""

    names: tuple[str, ...]
    groups: tuple[str, ...]
    standard: Standard
    coefficients: Float[np.ndarray, " p"]
    """By standard deviation of each column."""
    intercept: float
    """Log odds, or the number, of the mean patient; 0 of survival."""
    choice: int
    """Which of the penalties was chosen, from 0, the one that holds back most."""

    @classmethod
    def fit(
        cls,
        columns: Columns,
        outcomes: Outcomes,
        how: How,
        *,
        folds: Sequence[Int[np.ndarray, " _"]],
        strata: Int[np.ndarray, " n"] | None,
    ) -> Self:
        """Weigh columns by what became of patients.

        Parameters
        ----------
        columns
            Of the training patients, in the order of `outcomes`.
        how
            Says how much each group is held back, and what is tried.
        folds
            Rows to choose by, in turn.
        strata
            Of survival: patients that are compared with each other alone.
        """
        standard = Standard.fit(columns.values)
        used = np.flatnonzero(standard.varies)
        design, groups = standard(columns.values)[:, used], [columns.groups[k] for k in used]
        likelihood, level, size = _likelihood(outcomes, strata)
        if not len(used):
            text = f"none of {len(columns.names)} columns tells the training patients apart: all get one risk"
            warnings.warn(text, stacklevel=2)
            how, folds = _nothing, ()
        if likelihood.has_intercept:
            design, groups = np.column_stack([np.ones(len(design)), design]), [INTERCEPT, *groups]
        found, choice = choose(how(likelihood, design, groups), likelihood, design, folds)
        intercept = float(found[0]) if likelihood.has_intercept else 0.0
        coefficients = np.zeros(len(columns.names))
        coefficients[used] = size * found[len(groups) - len(used) :]
        return cls(columns.names, columns.groups, standard, coefficients, level + size * intercept, choice)

    def scores(self, columns: Columns) -> Float[np.ndarray, " n"]:
        """Return the score of each patient.

        Raises
        ------
        InputError
            If these are other columns than were weighed: two parts of a saved model do not belong together.
        """
        if columns.names != self.names:
            msg = f"the {len(self.names)} columns of a saved model expected, found others: copy the model again"
            raise InputError(msg)
        return self.intercept + self.standard(columns.values) @ self.coefficients

    def table(self) -> pd.DataFrame:
        """Say what each column counts, the most telling first."""
        table = pd.DataFrame({"column": self.names, "group": self.groups, "coefficient": self.coefficients})
        order = np.argsort(-np.abs(self.coefficients), kind="stable")
        return table.iloc[order].reset_index(drop=True)

    def state(self) -> State:
        """Return them as a model keeps them."""
        arrays = {"weights.coefficients": self.coefficients, "weights.intercept": np.array([self.intercept])}
        meta = {"names": list(self.names), "groups": list(self.groups), "choice": self.choice}
        return State(arrays, meta).joined(self.standard.state("weights"))

    @classmethod
    def of_state(cls, state: State) -> Self:
        """Take back what `state` returned."""
        names, groups = stored_texts(state, "names"), stored_texts(state, "groups")
        if len(groups) != len(names):
            msg = f"groups of a saved model's {len(names)} columns expected, found {len(groups)}: copy the model again"
            raise InputError(msg)
        layout = {"weights.coefficients": "columns", "weights.intercept": "one"}
        coefficients, intercept = stored_arrays(state, layout, columns=len(names), one=1)
        standard = Standard.of_state(state, "weights", columns=len(names))
        return cls(names, groups, standard, coefficients, float(intercept[0]), stored_number(state, "choice"))


def _nothing(likelihood: Likelihood, design: Design, groups: Sequence[str]) -> Fit:  # noqa: ARG001
    return ridges([np.zeros(len(groups))])


def _likelihood(outcomes: Outcomes, strata: Int[np.ndarray, " n"] | None) -> tuple[Likelihood, float, float]:
    """Return the likelihood of outcomes, and what their scores are multiplied by and shifted to be theirs."""
    if outcomes.time is not None and outcomes.event is not None:
        return Cox(outcomes.time, outcomes.event, strata), 0.0, 1.0
    assert outcomes.value is not None
    if outcomes.kind == "binary":
        return Logistic(outcomes.value), 0.0, 1.0
    level, size = float(outcomes.value.mean()), float(outcomes.value.std())
    return Gaussian((outcomes.value - level) / size), level, size
