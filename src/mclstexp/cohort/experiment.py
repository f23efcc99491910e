"""``task = "outcome"``: models of what becomes of patients, compared on patients that none of them was shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from mclstexp.cohort.config import CohortConfig
from mclstexp.cohort.plan import OutcomePlan
from mclstexp.cohort.survival.resampled import N_DRAWS
from mclstexp.core.outcome_model import ROOM
from mclstexp.core.room import Room
from mclstexp.evaluation.room_methods import RoomMethods


@dataclass(frozen=True)
class Division:
    """What is held out."""

    by: Literal["site", "patient", "given"] | None = None
    """"site", "patient", or "given" by the column of folds; by default as given, else by site where there are enough,
    else by patient."""
    n_folds: int = 5
    """Parts."""
    repeats: int = 1
    """How many times patients are divided anew."""


@dataclass(frozen=True)
class Intervals:
    """How sure scores are."""

    draws: int = N_DRAWS
    """Draws of the test patients."""
    unit: Literal["patient", "site"] = "patient"
    """What is drawn."""


@dataclass(frozen=True)
class OutcomeExperiment(RoomMethods):
    """A comparison of models of one outcome, on one cohort."""

    room: ClassVar[Room[Any]] = ROOM
    controls: ClassVar[tuple[str, ...]] = ("km", "clinical")
    example: ClassVar[str] = "clinical"

    task: str = "outcome"
    """The question."""
    data: CohortConfig = field(default_factory=CohortConfig)
    """The cohort."""
    folds: Division = field(default_factory=Division)
    """What is held out."""
    horizons: tuple[float, ...] = ()
    """Months at which survival is looked at; one, three and five years by default, where a tenth is still at risk."""
    baseline: str = "clinical"
    """The model that all others are held against."""
    intervals: Intervals = field(default_factory=Intervals)
    """How sure scores are."""


EXPERIMENT = OutcomeExperiment
PLAN = OutcomePlan
