"""The control that only looks things up: the mean of the training tiles that look most alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import State, register
from mclstexp.core.retrieval import Retrieval
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays
from mclstexp.core.tiles import Tiles
from mclstexp.retrieval.bank import ReferenceBank
from mclstexp.sight.feature_predictor import FeaturePredictor


@register("knn")
@dataclass
class KNN(FeaturePredictor):
    """Mean expression of the k nearest training tiles by cosine over standardised features of a frozen encoder.

    Retrieval without learning: what a contrastive method must beat to have learnt anything.
    """

    k: int = 50
    """How many training tiles are averaged (all of them where there are fewer)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 1:
            msg = f"k must be at least 1, found {self.k}"
            raise InputError(msg)

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections)
        features = self._look_at(sections)
        self.centre_ = features.mean(axis=0)
        spread = np.ones_like(self.centre_) if self.slide_scale else features.std(axis=0)
        self.scale_ = np.where(spread > 0, spread, 1).astype(np.float32)
        expression = np.concatenate([self.space_(section.counts) for section in sections])
        self.bank_ = _bank(((features - self.centre_) / self.scale_).astype(np.float32), expression)

    def _queries(self, tiles: Tiles) -> NDArray[np.float32]:
        return (self._look(tiles, n_features=len(self.centre_)) - self.centre_) / self.scale_

    def _predict(self, tiles: Tiles) -> NDArray[np.float32]:
        return self.bank_.query(self._queries(tiles), k=self.k)

    def _reference_distance(self, tiles: Tiles) -> NDArray[np.float32]:
        return self.bank_.distance(self._queries(tiles))

    def _retrievals(self, tiles: Tiles) -> tuple[Retrieval, ...]:
        return (self.bank_.retrieve(self._queries(tiles), k=self.k),)

    def _get_state(self) -> State:
        arrays = {
            "centre": self.centre_,
            "scale": self.scale_,
            "tiles": self.bank_.keys,
            "expression": self.bank_.expression,
        }
        return State(arrays=arrays, meta={}).joined(self._sight_state())

    def _set_state(self, state: State) -> None:
        self._take_sight(state)
        layout = {"centre": "features", "scale": "features", "tiles": "spots features", "expression": "spots genes"}
        self.centre_, self.scale_, *measured = stored_arrays(state, layout, genes=len(self.genes_))
        self.bank_ = _bank(*measured)


def _bank(tiles: NDArray[np.float32], expression: NDArray[np.float32]) -> ReferenceBank:
    nobody = ("",) * len(tiles)
    return ReferenceBank(tiles, expression, section_ids=nobody, patients=nobody)
