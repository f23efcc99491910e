"""Mean and spread of tile features over training patients, of whom each counts the same however many tiles it has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mclstexp.cohort.each_bag import each_bag
from mclstexp.core.bag import Bag
from mclstexp.core.cohort import Patients
from mclstexp.core.method import State
from mclstexp.core.stored import stored_arrays


@dataclass(frozen=True, eq=False)
class FeatureScale:
    """What brings features to a mean of 0 and a spread of 1."""

    mean: Float[np.ndarray, " dim"]
    """Of each feature, float32."""
    spread: Float[np.ndarray, " dim"]
    """Of each feature; 1 where it does not vary."""

    @classmethod
    def fit(cls, patients: Patients, *, level: int = -1) -> FeatureScale:
        """Learn it in one pass over tiles of a scale, the widest first, or of the finest."""
        n_bags = sum(bag is not None for bag in patients.bags or ())
        first, second = (np.zeros(patients.dim) for _ in range(2))
        for _, bag in each_bag(patients, "scale of features"):
            of = levels_of(bag)[level]
            for chunk in of.chunks():
                values = np.asarray(chunk, np.float64)
                first += values.sum(axis=0) / of.n_tiles / n_bags
                second += np.einsum("nd,nd->d", values, values) / of.n_tiles / n_bags
        variance = second - first**2
        varies = variance > 1e-9 * np.maximum(second, 1e-30)
        spread = np.sqrt(np.where(varies, variance, 1.0))
        return cls(first.astype(np.float32), spread.astype(np.float32))

    @classmethod
    def none(cls, dim: int) -> FeatureScale:
        """Return what leaves features as they are."""
        return cls(np.zeros(dim, np.float32), np.ones(dim, np.float32))

    def __call__(self, features: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n dim"]:
        """Return scaled features, float32."""
        return (features - self.mean) / self.spread

    def state(self, name: str) -> State:
        """Return it as a model keeps it."""
        return State({f"{name}.mean": self.mean, f"{name}.spread": self.spread}, {})

    @classmethod
    def of_state(cls, state: State, name: str, *, dim: int) -> FeatureScale:
        """Take back what `state` returned."""
        layout = {f"{name}.mean": "dim", f"{name}.spread": "dim"}
        return cls(*stored_arrays(state, layout, dim=dim))


def levels_of(bag: Bag) -> list[Bag]:
    """Return a patient's tiles at each scale, the widest first."""
    return [*bag.coarser, bag]
