"""A control: straight from spot to spot, over triangles between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import QhullError, cKDTree

from mclstexp.core.enhancer import Enhanced, Enhancer, Ground, register
from mclstexp.core.errors import InputError


@register("linear")
@dataclass
class Linear(Enhancer):
    """Straight between three spots around, and as the nearest spot beyond the outermost: a control."""

    def _enhance(self, ground: Ground) -> Enhanced:
        given, asked = ground.given.xy_um, ground.asked.xy_um
        try:
            values = LinearNDInterpolator(given, ground.values)(asked)
        except QhullError as error:
            msg = f"spots that span an area expected on {ground.given.slide.id}, found all on one line: use nearest"
            raise InputError(msg) from error
        outside = np.isnan(values[:, 0])
        _, nearest = cKDTree(given).query(asked[outside])
        values[outside] = ground.values[nearest]
        return Enhanced(values)
