"""`Standard`: columns brought to mean 0 and standard deviation 1 by what the training patients have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Bool, Float

from mclstexp.core.method import State
from mclstexp.core.stored import stored_arrays

Values = Float[np.ndarray, "n p"]


@dataclass(frozen=True, eq=False)
class Standard:
    """Means and standard deviations of what is known; what is not known is the mean, and so neither here nor there."""

    mean: Float[np.ndarray, " p"]
    spread: Float[np.ndarray, " p"]
    """0 of a column that nobody has or that is the same for all, which stays at 0."""

    @classmethod
    def fit(cls, values: Values) -> Self:
        """Learn them."""
        mean, spread = np.zeros(values.shape[1]), np.zeros(values.shape[1])
        known = ~np.isnan(values).all(axis=0)
        mean[known], spread[known] = np.nanmean(values[:, known], axis=0), np.nanstd(values[:, known], axis=0)
        return cls(mean, np.where(spread > 1e-9 * np.maximum(np.abs(mean), 1e-30), spread, 0.0))

    @property
    def varies(self) -> Bool[np.ndarray, " p"]:
        """Which columns say something."""
        return self.spread > 0

    def __call__(self, values: Values) -> Values:
        """Return the columns so scaled."""
        off = np.where(np.isnan(values), 0.0, values - self.mean)
        return np.where(self.varies, off / np.where(self.varies, self.spread, 1), 0.0)

    def state(self, name: str) -> State:
        """Return it as a model keeps it."""
        return State({f"{name}.mean": self.mean, f"{name}.spread": self.spread}, {})

    @classmethod
    def of_state(cls, state: State, name: str, **sizes: int) -> Self:
        """Take back what `state` returned."""
        mean, spread = stored_arrays(state, {f"{name}.mean": "columns", f"{name}.spread": "columns"}, **sizes)
        return cls(mean, spread)
