"""The control that beats most methods: one map for all genes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mclstexp.core.enhancer import Enhanced, Enhancer, Ground, register
from mclstexp.enhancement.gaussian_process import predict
from mclstexp.enhancement.kriging import Kriging


@register("common_map")
@dataclass
class CommonMap(Enhancer):
    """One map for all genes, the kriged mean of them: a control.

    What a method says of a gene beyond this is of that gene; most of it follows sequencing depth and the density of
    cells.
    """

    def _enhance(self, ground: Ground) -> Enhanced:
        given, common = ground.given.xy_um, ground.values.mean(axis=1, keepdims=True)
        process = Kriging().learn(given, common)
        drawn, _ = predict(process, given, common, ground.asked.xy_um)
        at_spots, _ = predict(process, given, common, given)
        pattern = drawn - at_spots.mean()
        return Enhanced(ground.mean + pattern * _slope(at_spots - at_spots.mean(), ground.values))


def _slope(pattern: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return how steeply each gene follows the map; none against it, which few spots cannot tell from noise."""
    along = (pattern * (values - values.mean(axis=0))).sum(axis=0) / max(float((pattern**2).sum()), 1e-12)
    return np.maximum(along, 1e-3 * values.std(axis=0) / max(float(pattern.std()), 1e-12))
