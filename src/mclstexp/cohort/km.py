"""What is known of a patient of whom nothing is known: the training patients' curve, share or mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mclstexp.cohort.survival.follow_up import Steps
from mclstexp.cohort.survival.kaplan_meier import kaplan_meier
from mclstexp.core.cohort import Outcomes, Part, Patients
from mclstexp.core.method import State
from mclstexp.core.outcome_model import OutcomeModel, register
from mclstexp.core.stored import stored_arrays


@register("km")
@dataclass
class KaplanMeierModel(OutcomeModel):
    """The same for everybody: the training patients' Kaplan-Meier curve, their share of yes, or their mean.

    It ranks nobody; what it errs is the yardstick of every Brier score and squared error.
    """

    @property
    def takes(self) -> frozenset[Part]:
        """What of patients it looks at: nothing."""
        return frozenset()

    def _fit(self, patients: Patients, outcomes: Outcomes) -> None:  # noqa: ARG002  it looks at nobody
        self.level_, self.curve_ = 0.0, Steps(np.empty(0), np.empty(0), 1.0)
        if outcomes.time is not None and outcomes.event is not None:
            self.curve_ = kaplan_meier(outcomes.time, outcomes.event).curve
        elif outcomes.value is not None:
            mean = float(outcomes.value.mean())
            self.level_ = float(np.log(mean / (1 - mean))) if outcomes.kind == "binary" else mean

    def _predict(self, patients: Patients) -> Float[np.ndarray, " n_patients"]:
        return np.full(len(patients), self.level_)

    def _survival(
        self,
        patients: Patients,
        risk: Float[np.ndarray, " n_patients"],  # noqa: ARG002  it is the same for all
        months: Float[np.ndarray, " n_times"],
    ) -> Float[np.ndarray, "n_patients n_times"]:
        return np.tile(self.curve_.at(months), (len(patients), 1))

    def _get_state(self) -> State:
        curve = {"curve.times": self.curve_.times, "curve.values": self.curve_.values}
        return State({"level": np.array([self.level_]), **(curve if self.kind_ == "survival" else {})}, {})

    def _set_state(self, state: State) -> None:
        self.level_ = float(stored_arrays(state, {"level": "one"}, one=1)[0][0])
        if self.kind_ == "survival":
            times, values = stored_arrays(state, {"curve.times": "times", "curve.values": "times"})
            self.curve_ = Steps(times, values, 1.0)
