"""A control: each place is as its nearest spot."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.spatial import cKDTree

from mclstexp.core.enhancer import Enhanced, Enhancer, Ground, register


@register("nearest")
@dataclass
class Nearest(Enhancer):
    """As the nearest spot: a control."""

    def _enhance(self, ground: Ground) -> Enhanced:
        _, nearest = cKDTree(ground.given.xy_um).query(ground.asked.xy_um)
        return Enhanced(ground.values[nearest])
