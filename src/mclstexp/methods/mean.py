"""The control that never looks: every tile gets the training mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mclstexp.core.predictor import Predictor, State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays
from mclstexp.core.tiles import Tiles


@register("mean")
@dataclass
class Mean(Predictor):
    """Mean expression of each gene over the training spots; what any method must beat (PCC exactly 0)."""

    @property
    def sees(self) -> str:
        """What it sees of a place."""
        return "nothing"

    def _fit(self, sections: list[Section]) -> None:
        n_spots = sum(len(section) for section in sections)
        total = sum(self.space_(section.counts).sum(axis=0, dtype=np.float64) for section in sections)
        self.mean_ = np.asarray(total / n_spots, np.float32)

    def _predict(self, tiles: Tiles) -> NDArray[np.float32]:
        return np.tile(self.mean_, (len(tiles), 1))

    def _get_state(self) -> State:
        return State(arrays={"mean": self.mean_}, meta={})

    def _set_state(self, state: State) -> None:
        (self.mean_,) = stored_arrays(state, {"mean": "genes"}, genes=len(self.genes_))
