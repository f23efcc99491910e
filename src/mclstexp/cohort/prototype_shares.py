"""How much of each kind of tile a patient has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.cohort.linear.columns import Columns
from mclstexp.cohort.linear.model import LinearOutcomeModel, choices
from mclstexp.cohort.mixture import Prior
from mclstexp.cohort.prototypes import Prototypes
from mclstexp.core.cohort import Part, Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.outcome_model import register

PENALTIES: Final = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""Penalties that are tried."""
_STEP: Final = 1e-4


@register("prototype_shares")
@dataclass
class PrototypeShares(LinearOutcomeModel):
    """Shares of kinds of tiles, ridge regression: prototypes by k-means, shares by one round of MAP-EM.

    All shares go in, so that each kind has a coefficient; ridge regression does not mind that they add up to 1.
    """

    n_prototypes: int = 16
    """Kinds of tiles."""
    epsilon: float | Literal["within"] = "within"
    """Variance around each prototype; "within" is that of the training tiles."""
    pseudo_count: float = 1.0
    """Tiles that the prior counts for, in each prototype."""
    standardise: bool = True
    """Whether each feature is first brought to mean 0 and standard deviation 1."""
    max_tiles: int = 50_000
    """Tiles that k-means sees, as many of each patient."""
    log_ratio: bool = False
    """Whether shares are taken as logarithms less their mean."""
    penalty: float | None = None
    """λ; by default chosen in inner folds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._penalties()
        wrong = self.epsilon != "within" and not self.epsilon > 0
        if self.n_prototypes < 2 or wrong or not self.pseudo_count > 0 or self.max_tiles < 1:
            msg = (
                "2 or more n_prototypes, and epsilon, pseudo_count and max_tiles above 0, expected, found "
                f"{self.n_prototypes}, {self.epsilon}, {self.pseudo_count}, {self.max_tiles}"
            )
            raise InputError(msg)

    @property
    def takes(self) -> frozenset[Part]:
        """What of patients it looks at."""
        return frozenset({"bags"})

    def _learn(self, patients: Patients) -> Columns:
        self.prototypes_ = Prototypes.fit(
            patients, self.n_prototypes, standardise=self.standardise, max_tiles=self.max_tiles, seed=self.seed
        )
        self._learn_more(patients, shares := self._shares(patients))
        return self._of_shares(shares, patients)

    def _columns(self, patients: Patients) -> Columns:
        return self._of_shares(self._shares(patients), patients)

    @property
    def prior_(self) -> Prior:
        """What is expected of a slide."""
        return self.prototypes_.prior(self.pseudo_count, self.epsilon)

    def _shares(self, patients: Patients) -> Float[np.ndarray, "n_patients k"]:
        return self.prototypes_.shares_of(patients, self.prior_)

    def _described(self, shares: Float[np.ndarray, "n_patients k"]) -> Float[np.ndarray, "n_patients k"]:
        if not self.log_ratio:
            return shares
        logs = np.log(shares)
        return logs - logs.mean(axis=1, keepdims=True)

    def _of_shares(self, shares: Float[np.ndarray, "n_patients k"], patients: Patients) -> Columns:  # noqa: ARG002
        """Return columns, given shares; with more that is known of the patients in a subclass."""
        return Columns.of(self._described(shares), self.prototypes_.names, group="own")

    def _learn_more(self, patients: Patients, shares: Float[np.ndarray, "n_patients k"]) -> None:
        """Learn what a subclass needs beside prototypes."""

    def _penalties(self) -> list[Mapping[str, float]]:
        return choices(self.penalty, PENALTIES)

    def explain(self) -> dict[str, pd.DataFrame]:
        """See `OutcomeModel.explain`: "coefficients", and `Prototypes.tables`."""
        said = self.prototypes_.tables()
        table = self.weights_.table().set_index("column")["coefficient"]
        said["prototypes"]["coefficient"] = table.reindex(self.prototypes_.names).to_numpy()
        return {**super().explain(), **said}

    @property
    def tiles_add_up(self) -> bool:
        """Whether what tiles add is exact: a score is linear in shares, and not in their logarithms."""
        return not self.log_ratio

    def explain_tiles(self, patients: Patients) -> Iterator[tuple[str, pd.DataFrame]]:
        """See `OutcomeModel.explain_tiles`; of log ratios how the risk moves with a few more of such tiles."""
        start = self.prior_.start()
        for name, bag in zip(patients.ids, patients.bags or (), strict=True):
            if bag is None:
                continue
            likely = np.concatenate([start.responsibilities(chunk) for chunk in self.prototypes_.chunks(bag)])
            risk = self._risks(likely, patients.subset([name]))
            yield name, self.prototypes_.tile_table(likely, risk=risk)

    def _risks(self, likely: Float[np.ndarray, "n k"], patient: Patients) -> Float[np.ndarray, " n"]:
        if self.log_ratio:
            return likely @ self._moves(likely.mean(axis=0), patient)
        (n, k), tau = likely.shape, self.pseudo_count
        own = (n * likely + tau) / (n + k * tau)  # of which a patient's shares are the mean
        ends = np.vstack([np.zeros(k), np.eye(k)])
        scores = self._scores_of_shares(ends, patient)
        return (own - self._usual_shares()) @ (scores[1:] - scores[0])

    def _usual_shares(self) -> Float[np.ndarray, " k"]:
        """Return the training patients' mean shares."""
        at = [self.weights_.names.index(name) for name in self.prototypes_.names]
        return self.weights_.standard.mean[at]

    def _scores_of_shares(self, shares: Float[np.ndarray, "n k"], patient: Patients) -> Float[np.ndarray, " n"]:
        columns = [self._beside(patient, self._of_shares(row[None], patient)) for row in shares]
        return np.array([self.weights_.scores(one).item() for one in columns])

    def _moves(self, shares: Float[np.ndarray, " k"], patient: Patients) -> Float[np.ndarray, " k"]:
        """Return how a patient's score moves with more of each prototype and less of the others."""
        shares = (shares + 1e-6) / (shares + 1e-6).sum()  # log ratios of nothing are none
        more = np.vstack([shares, (1 - _STEP) * shares + _STEP * np.eye(len(shares))])
        scores = self._scores_of_shares(more, patient)
        return (scores[1:] - scores[0]) / _STEP

    def _learnt(self) -> State:
        return self.prototypes_.state()

    def _take_back(self, state: State) -> None:
        self.prototypes_ = Prototypes.of_state(state, dim=self.dim_)
