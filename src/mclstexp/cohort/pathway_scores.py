"""Pathways alone: what expression says without a slide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from mclstexp.cohort.linear.choice import Fit, net, ridges
from mclstexp.cohort.linear.clinic import GROUP
from mclstexp.cohort.linear.columns import Columns
from mclstexp.cohort.linear.model import LinearOutcomeModel, choices
from mclstexp.cohort.linear.pathways import PathwayColumns, Source, part_of
from mclstexp.cohort.linear.weights import INTERCEPT
from mclstexp.cohort.regression.likelihood import Design, Likelihood
from mclstexp.core.cohort import Part, Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.outcome_model import register

PENALTIES: Final = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""Penalties of ridge regression that are tried."""


@register("pathway_scores")
@dataclass
class PathwayScores(LinearOutcomeModel):
    """A score for each pathway, ridge regression; of scores predicted from the slide it is a reading of the slide.

    Scores of pathways go together, so that an elastic net, which takes one of several alike, ranks patients worse: on
    two of TCGA's cohorts by .06 and .10 (docs/cohort_models.md).
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"elastic_net": {"l1_ratio": 0.5}}
    tuned_on: ClassVar[tuple[str, ...]] = ("TCGA-BLCA", "TCGA-STAD")

    reads: Source = "scores"
    """Scores of pathways as they are given, or expression, of which a pathway's score is the mean z of its genes."""
    l1_ratio: float = 0.0
    """Share of the penalty that is on absolute values, which leaves pathways out; 0 is ridge regression."""
    penalty: float | None = None
    """λ of ridge regression; by default chosen in inner folds, as that of an elastic net always is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        choices(self.penalty, ())
        if not 0 <= self.l1_ratio <= 1 or (self.l1_ratio > 0 and self.penalty is not None):
            msg = f"l1_ratio from 0 to 1, and a penalty with 0 alone, expected, found {self.l1_ratio}, {self.penalty}"
            raise InputError(msg)

    @property
    def takes(self) -> frozenset[Part]:
        """What of patients it looks at."""
        return frozenset({part_of(self.reads)})

    def _learn(self, patients: Patients) -> Columns:
        self.pathways_ = PathwayColumns.fit(patients, self.reads, name=self.name)
        return self._columns(patients)

    def _columns(self, patients: Patients) -> Columns:
        return Columns.of(self.pathways_.values(patients), self.pathways_.names, group="own")

    def _how(self, likelihood: Likelihood, design: Design, groups: Sequence[str]) -> Fit:
        free = np.array([float(group in (INTERCEPT, GROUP)) for group in groups])
        if self.l1_ratio == 0:
            tried = choices(self.penalty, PENALTIES)
            return ridges([(1 - free) * choice["own"] for choice in tried])
        return net(likelihood, design, l1_ratio=self.l1_ratio, free=free)

    def _learnt(self) -> State:
        return self.pathways_.state()

    def _take_back(self, state: State) -> None:
        self.pathways_ = PathwayColumns.of_state(state, among=self.columns_[part_of(self.reads)])
