"""A control: each gene's mean everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mclstexp.core.enhancer import Enhanced, Enhancer, Ground, register


@register("mean")
@dataclass
class Mean(Enhancer):
    """Each gene's mean everywhere: a control."""

    def _enhance(self, ground: Ground) -> Enhanced:
        return Enhanced(np.tile(ground.mean, (len(ground.asked), 1)))
