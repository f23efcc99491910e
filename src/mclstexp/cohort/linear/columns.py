"""`Columns`: numbers that describe patients, by name, in groups that are held back alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Columns:
    """A row for each patient; NaN is not known."""

    values: Float[np.ndarray, "n p"]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    """Which penalty each has."""

    @classmethod
    def of(cls, values: Float[np.ndarray, "n p"], names: Sequence[str], *, group: str) -> Self:
        """Return columns of one group."""
        return cls(np.asarray(values, np.float64), tuple(names), (group,) * len(names))

    def beside(self, other: Columns) -> Columns:
        """Return these, and others after them."""
        values = np.column_stack([self.values, other.values])
        return Columns(values, self.names + other.names, self.groups + other.groups)
