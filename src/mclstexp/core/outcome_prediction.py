"""`Prediction`: what a model of outcomes answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of patients."""

    ids: tuple[str, ...]
    """Whose."""
    risk: Float[np.ndarray, " n_patients"]
    """Higher: the event is sooner, or more likely (log odds); of numbers what is expected. Of survival, 0 is the mean
    of the training patients; risks of two fits are not on one scale."""
    high: Bool[np.ndarray, " n_patients"]
    """Whether the risk lies above the median of the training patients."""
    value: Float[np.ndarray, " n_patients"] | None = None
    """Of other kinds than survival: the probability, or the number."""
    at_months: tuple[float, ...] = ()
    """Times asked for."""
    survival: Float[np.ndarray, "n_patients n_times"] | None = None
    """Who is expected to be without event by then."""

    @property
    def group(self) -> tuple[str, ...]:
        """The risk group of each: "high" or "low"."""
        return tuple(np.where(self.high, "high", "low").tolist())
