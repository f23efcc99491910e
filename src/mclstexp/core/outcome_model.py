"""`OutcomeModel`: what every model is that says of patients what will become of them."""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, Final, Self, cast, final

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp._version import __version__
from mclstexp.core.baseline import Baseline
from mclstexp.core.cohort import Kind, Outcomes, Part, Patients
from mclstexp.core.errors import InputError
from mclstexp.core.learnt_ranges import learnt_ranges
from mclstexp.core.method import Method, State, described
from mclstexp.core.options import without_paths
from mclstexp.core.outcome_prediction import Prediction
from mclstexp.core.room import Room
from mclstexp.core.shown import FRAMES, as_fitted, check_outcomes, show
from mclstexp.core.stored import stored_arrays, stored_number, stored_texts

CLINIC: Final = "clinical+"
"""What stands before the name of a model that is put beside the clinic's covariates."""


FEATURES: Final = "features"
"""Entry of a model's provenance: how the tile features that it learnt from were made, of each scale."""


class OutcomeRoom(Room["OutcomeModel"]):
    """The models of outcomes, each of which may stand beside the clinic: ``clinical+abmil``."""

    def has(self, name: str) -> bool:
        """See `Room.has`; what stands beside the clinic is asked for here, known or not."""
        return name.startswith(CLINIC) or super().has(name)

    def method_class(self, name: str) -> type[OutcomeModel]:
        """See `Room.method_class`."""
        if not name.startswith(CLINIC):
            return super().method_class(name)
        beside_clinic = importlib.import_module(f"{self.package}.beside_clinic").beside_clinic
        return cast("type[OutcomeModel]", beside_clinic(super().method_class(name.removeprefix(CLINIC))))


_BASELINE: Final = {"baseline.times": "times", "baseline.hazard": "hazard"}
ROOM: Final = OutcomeRoom("mclstexp.cohort", question="outcome")
register = ROOM.register


class OutcomeModel(Method):
    """A model that learns from patients what becomes of them.

    Subclasses are dataclasses whose fields are their options: every option has a default and a sentence under it. They
    write `takes`, `_fit`, `_predict`, `_get_state` and `_set_state`, and `_survival` where risks alone do not say how
    many are left; the public methods check and are final.
    """

    kinds: ClassVar[tuple[Kind, ...]] = Outcomes.kinds
    """The outcomes it can learn."""

    @property
    def tiles_add_up(self) -> bool:
        """Whether what `explain_tiles` says is exact: its mean is all that a patient's tiles do to the risk."""
        return False

    kind_: Kind
    """What it learnt; set by `fit`."""
    columns_: dict[Part, tuple[str, ...]]
    """Names of the columns it was shown, by part; set by `fit`."""
    dim_: int
    """Width of the tiles' features, 0 where it sees none; set by `fit`."""
    baseline_: Baseline | None
    """Of survival; set by `fit`."""
    centre_: float
    """Mean risk of the training patients, which is taken off; 0 of other kinds than survival. Set by `fit`."""
    cut_: float
    """Median risk of the training patients; set by `fit`."""

    @property
    @abstractmethod
    def takes(self) -> frozenset[Part]:
        """What of patients it looks at; the rest is never shown to it, and its absence is no matter."""

    @property
    def may_lack(self) -> frozenset[Part]:
        """What single patients may be without; by default nothing."""
        return frozenset()

    @final
    def fit(self, patients: Patients, outcomes: Outcomes) -> Self:
        """Learn from training patients; everything learnt is learnt from these alone.

        Parameters
        ----------
        patients
            What is seen of them; of this only what the model takes.
        outcomes
            What became of them; others may be among them.

        Raises
        ------
        InputError
            If a part it takes is not there or a patient lacks it, the kind of outcome is none of its own, or there are
            fewer than two patients or all have one outcome.
        """
        outcomes = outcomes.subset(patients.ids)
        check_outcomes(outcomes, name=self.name, kinds=self.kinds)
        self.__dict__.pop("provenance_", None)
        shown = self._shown(patients)
        self.kind_ = outcomes.kind
        self.columns_ = {part: tuple(getattr(shown, part).columns) for part in FRAMES if part in self.takes}
        self.dim_ = shown.dim
        risk = self._checked(self._fit(shown, outcomes), shown)
        survival = outcomes.kind == "survival"
        self.centre_ = float(risk.mean()) if survival else 0.0
        self.cut_ = float(np.median(risk - self.centre_))
        self.baseline_ = None
        if outcomes.time is not None and outcomes.event is not None:
            self.baseline_ = Baseline.fit(outcomes.time, outcomes.event, risk - self.centre_)
        about = described(self)
        self.provenance_ = {
            "question": "outcome",
            "method": self.name,
            "version": __version__,
            "options": without_paths(about["options"]),
            "numerics": about["numerics"],
            "outcome": outcomes.kind,
            "patients": sorted(patients.ids),
            "n_patients": len(patients),
            "n_events": outcomes.n_events,
            **({FEATURES: shown.made} if any(shown.made) else {}),
            **learnt_ranges(shown),
        }
        return self

    @final
    def predict(self, patients: Patients, *, at_months: Sequence[float] = ()) -> Prediction:
        """Say what will become of patients.

        Parameters
        ----------
        patients
            With the columns it was fitted on, in any order.
        at_months
            Times at which survival is asked for.

        Returns
        -------
        A row for each patient; it is the same whoever else is asked for.

        Raises
        ------
        InputError
            If the model is not fitted, a patient lacks something that it takes, or a number is not finite.
        RuntimeError
            If the model returned a wrong shape.
        """
        if not self.is_fitted:
            msg = f"{self.name or type(self).__name__} must be fitted before it predicts: call fit(patients, outcomes)"
            raise InputError(msg)
        shown = self._shown(patients, fitted=True)
        risk = self._checked(None, shown) - self.centre_
        months = np.asarray(tuple(at_months), np.float64)
        survival = None
        if self.kind_ == "survival" and len(months):
            survival = self._survival(shown, risk, months)
            if survival.shape != (len(risk), len(months)) or not np.isfinite(survival).all():
                msg = f"{self.name} returned survival of shape {survival.shape}, or numbers that are not finite"
                raise RuntimeError(msg)
        return Prediction(
            ids=patients.ids,
            risk=risk,
            high=risk > self.cut_,
            value={"survival": None, "binary": _probability(risk), "continuous": risk}[self.kind_],
            at_months=tuple(months.tolist()) if survival is not None else (),
            survival=survival,
        )

    def explain(self) -> dict[str, pd.DataFrame]:
        """Return tables of what was learnt, by name; none where the model has nothing to show.

        "coefficients": a row for each column; "products": prototypes by pathways; those of `Prototypes.tables`.
        """
        return {}

    def explain_tiles(self, patients: Patients) -> Iterator[tuple[str, pd.DataFrame]]:  # noqa: ARG002  who can does
        """Yield for each patient a row for each tile, in the order of its bag.

        "risk": what the risk would gain were all tiles like this one; where `tiles_add_up` beyond the training
        patients' mean tissue. "prototype", the kind that it is most like, and a column for each kind: how likely it is
        one. "weight": how much an attention looks at it, 1 as at the mean tile. Nothing of models that see no tiles.
        """
        return iter(())

    @final
    def get_state(self) -> State:
        """Return all that predicting needs beyond the options."""
        meta = {
            "kind": [self.kind_],
            "columns": {part: list(names) for part, names in self.columns_.items()},
            "dim": self.dim_,
            "centre": self.centre_,
            "cut": self.cut_,
        }
        base = (
            {} if self.baseline_ is None else {name: getattr(self.baseline_, part) for name, part in _BASELINE.items()}
        )
        return State(base, meta).joined(self._get_state())

    @final
    def set_state(self, state: State) -> None:
        """Take back what `get_state` returned."""
        self.kind_ = cast("Kind", stored_texts(state, "kind", among=self.kinds)[0])
        self.dim_ = stored_number(state, "dim")
        self.columns_ = {part: tuple(map(str, state.meta["columns"][part])) for part in state.meta["columns"]}
        self.centre_, self.cut_ = float(state.meta["centre"]), float(state.meta["cut"])
        self.baseline_ = None
        if self.kind_ == "survival":
            times, hazard = stored_arrays(state, dict.fromkeys(_BASELINE, "times"))
            self.baseline_ = Baseline(times, hazard)
        self._set_state(state)

    def _shown(self, patients: Patients, *, fitted: bool = False) -> Patients:
        """Leave only what the model takes, and of a fitted one the columns that it knows, in their order."""
        shown = show(patients, takes=self.takes, may_lack=self.may_lack, name=self.name)
        if not fitted:
            return shown
        made = getattr(self, "provenance_", {}).get(FEATURES, ())
        return as_fitted(shown, columns=self.columns_, dim=self.dim_, name=self.name, made=made)

    def _checked(
        self, risk: Float[np.ndarray, " n_patients"] | None, patients: Patients
    ) -> Float[np.ndarray, " n_patients"]:
        """Return risks that are predicted unless they are at hand."""
        risk = np.asarray(self._predict(patients) if risk is None else risk, np.float64)
        if risk.shape != (len(patients),):
            msg = f"{self.name} returned {risk.shape} for {len(patients)} patients"
            raise RuntimeError(msg)
        if not np.isfinite(risk).all():
            msg = (
                f"finite risks expected of {self.name}, found others: its weights went astray, in its fit or in its "
                "file: fit it again"
            )
            raise InputError(msg)
        return risk

    def _survival(
        self,
        patients: Patients,  # noqa: ARG002  for those that look
        risk: Float[np.ndarray, " n_patients"],
        months: Float[np.ndarray, " n_times"],
    ) -> Float[np.ndarray, "n_patients n_times"]:
        """Return survival at some times; by default Breslow's."""
        if self.baseline_ is None:
            msg = f"{self.name} has no baseline: it was fitted on another kind of outcome than survival"
            raise RuntimeError(msg)
        return self.baseline_.survival(risk, months)

    @abstractmethod
    def _fit(self, patients: Patients, outcomes: Outcomes) -> Float[np.ndarray, " n_patients"] | None:
        """Learn; outcomes are in the patients' order, and `kind_`, `columns_` and `dim_` are set.

        Returns
        -------
        What `_predict` would of these patients, or would have had it not seen them, if it is at hand; else None.
        """

    @abstractmethod
    def _predict(self, patients: Patients) -> Float[np.ndarray, " n_patients"]:
        """Return risks: log hazards, log odds of yes, or the number itself."""

    @abstractmethod
    def _get_state(self) -> State:
        """Return all that `_predict` needs beyond the options."""

    @abstractmethod
    def _set_state(self, state: State) -> None:
        """Take back what `_get_state` returned."""


def _probability(log_odds: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return 1 / (1 + np.exp(-np.clip(log_odds, -500, 500)))
