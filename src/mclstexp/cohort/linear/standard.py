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
    """Medians that fill what is missing, means, and standard deviations; one of 0 leaves a column at 0."""

    fill: Float[np.ndarray, " p"]
    mean: Float[np.ndarray, " p"]
    spread: Float[np.ndarray, " p"]

    @classmethod
    def fit(cls, values: Values) -> Self:
        """Learn them; a column that nobody has, or that is the same for all, says nothing."""
        known = ~np.isnan(values).all(axis=0)
        fill = np.zeros(values.shape[1])
        fill[known] = np.nanmedian(values[:, known], axis=0)
        whole = np.where(np.isnan(values), fill, values)
        mean, spread = whole.mean(axis=0), whole.std(axis=0)
        return cls(fill, mean, np.where(spread > 1e-9 * np.maximum(np.abs(mean), 1e-30), spread, 0.0))

    @property
    def varies(self) -> Bool[np.ndarray, " p"]:
        """Which columns say something."""
        return self.spread > 0

    def __call__(self, values: Values) -> Values:
        """Return the columns so scaled."""
        off = np.where(np.isnan(values), self.fill, values) - self.mean
        return np.where(self.varies, off / np.where(self.varies, self.spread, 1), 0.0)

    def state(self, name: str) -> State:
        """Return it as a model keeps it."""
        return State({f"{name}.fill": self.fill, f"{name}.mean": self.mean, f"{name}.spread": self.spread}, {})

    @classmethod
    def of_state(cls, state: State, name: str, **sizes: int) -> Self:
        """Take back what `state` returned."""
        return cls(*stored_arrays(state, {f"{name}.{part}": "columns" for part in ("fill", "mean", "spread")}, **sizes))
