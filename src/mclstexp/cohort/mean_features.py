"""The mean tile: what a slide says without any idea of kinds of tissue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.cohort.each_bag import each_bag
from mclstexp.cohort.linear.columns import Columns
from mclstexp.cohort.linear.model import LinearOutcomeModel, choices
from mclstexp.core.bag import Bag
from mclstexp.core.cohort import Part, Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.outcome_model import register
from mclstexp.core.stored import stored_arrays

PENALTIES: Final = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""Penalties that are tried."""


@register("mean_features")
@dataclass
class MeanFeatures(LinearOutcomeModel):
    """Principal components of each patient's mean tile, ridge regression; what a site's stain says is in it, too."""

    n_components: int = 50
    """Principal components over training patients, at most."""
    penalty: float | None = None
    """λ, of each component; by default the best of 0.1 … 1000 in inner folds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        choices(self.penalty, PENALTIES)
        if self.n_components < 1:
            msg = f"one or more principal components expected, found n_components {self.n_components}"
            raise InputError(msg)

    @property
    def takes(self) -> frozenset[Part]:
        """What of patients it looks at."""
        return frozenset({"bags"})

    def _learn(self, patients: Patients) -> Columns:
        means = _means(patients)
        self.mean_ = means.mean(axis=0)
        _, values, axes = np.linalg.svd(means - self.mean_, full_matrices=False)
        n_told = int((values > 1e-9 * max(values[0], 1e-30)).sum())
        self.axes_ = axes[: max(1, min(self.n_components, n_told))]
        return self._components(means)

    def _columns(self, patients: Patients) -> Columns:
        return self._components(_means(patients))

    def _components(self, means: Float[np.ndarray, "n_patients dim"]) -> Columns:
        return Columns.of((means - self.mean_) @ self.axes_.T, self._names(), group="own")

    def _names(self) -> list[str]:
        return [f"component {number + 1}" for number in range(len(self.axes_))]

    def _penalties(self) -> list[Mapping[str, float]]:
        return choices(self.penalty, PENALTIES)

    @property
    def tiles_add_up(self) -> bool:
        """Whether what tiles add is exact: a score is linear in the mean tile."""
        return True

    def explain_tiles(self, patients: Patients) -> Iterator[tuple[str, pd.DataFrame]]:
        """See `OutcomeModel.explain_tiles`."""
        own = np.isin(self.weights_.names, self._names())
        spread = np.where(self.weights_.standard.varies, self.weights_.standard.spread, np.inf)[own]
        way = (self.weights_.coefficients[own] / spread) @ self.axes_
        for name, bag in zip(patients.ids, patients.bags or (), strict=True):
            if bag is not None:
                parts = [(np.asarray(chunk, np.float64) - self.mean_) @ way for chunk in bag.chunks()]
                yield name, pd.DataFrame({"risk": np.concatenate(parts)})

    def _learnt(self) -> State:
        return State({"mean": self.mean_, "axes": self.axes_}, {})

    def _take_back(self, state: State) -> None:
        self.mean_, self.axes_ = stored_arrays(state, {"mean": "dim", "axes": "components dim"}, dim=self.dim_)


def _means(patients: Patients) -> Float[np.ndarray, "n_patients dim"]:
    means = np.array([_mean(bag) for _, bag in each_bag(patients, "mean tiles")])
    if not np.isfinite(means).all():
        msg = "finite features of tiles expected, found others: embed the slides again"
        raise InputError(msg)
    return means


def _mean(bag: Bag) -> Float[np.ndarray, " dim"]:
    total = np.zeros(bag.dim)
    for chunk in bag.chunks():
        total += np.asarray(chunk, np.float64).sum(axis=0)
    return total / bag.n_tiles
