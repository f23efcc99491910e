"""The control that sees how much RNA a tile holds, and nothing else: one map for all genes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays
from mclstexp.core.tiles import Tiles
from mclstexp.methods.ridge import ALPHAS, fit_probe, tuning_splits
from mclstexp.sight.feature_predictor import FeaturePredictor


@register("density")
@dataclass
class Density(FeaturePredictor):
    """Total count of a tile, predicted by ridge regression: every gene gets the same map, around its own mean.

    What it scores can be had without knowing one gene from another. ln(1 + total count) is learnt from a frozen
    encoder's features as `ridge` learns expression; one slope, the mean over genes in training, brings it to the scale.
    """

    n_components: int = 256
    """Principal components kept (fewer where there are fewer tiles or features)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_components < 1:
            msg = f"n_components must be at least 1, found {self.n_components}"
            raise InputError(msg)

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections)
        features = self._look_at(sections).astype(np.float64)
        depth = np.concatenate([np.log1p(np.asarray(s.counts.X.sum(axis=1), np.float64)).ravel() for s in sections])
        expression = np.concatenate([self.space_(section.counts) for section in sections])
        coef, intercept, _ = fit_probe(
            features,
            depth[:, None],
            n_components=self.n_components,
            alphas=ALPHAS,
            splits=tuning_splits(sections),
            standardise=not self.slide_scale,
        )
        centred = depth - depth.mean()
        slope = float(centred @ expression.mean(axis=1, dtype=np.float64)) / max(float(centred @ centred), 1e-12)
        self.mean_ = expression.mean(axis=0, dtype=np.float64)
        self.coef_, self.offset_ = slope * coef[:, 0], slope * (intercept - depth.mean())

    def _predict(self, tiles: Tiles) -> NDArray[np.float32]:
        features = self._look(tiles, n_features=len(self.coef_)).astype(np.float64)
        density = features @ self.coef_ + self.offset_
        return np.asarray(self.mean_ + density[:, None], np.float32)

    def _get_state(self) -> State:
        arrays = {"mean": self.mean_, "coef": self.coef_, "offset": self.offset_}
        return State(arrays=arrays, meta={}).joined(self._sight_state())

    def _set_state(self, state: State) -> None:
        self._take_sight(state)
        layout = {"mean": "genes", "coef": "features", "offset": "one"}
        self.mean_, self.coef_, self.offset_ = stored_arrays(state, layout, genes=len(self.genes_), one=1)
