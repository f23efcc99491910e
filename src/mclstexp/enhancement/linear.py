"""A control: straight from spot to spot, over triangles between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import QhullError, cKDTree

from mclstexp.core.enhancer import Enhanced, Enhancer, Ground, register
from mclstexp.core.errors import InputError


@register("linear")
@dataclass
class Linear(Enhancer):
    """Straight between three spots around, and as the nearest spot beyond the outermost: a control."""

    def _enhance(self, ground: Ground) -> Enhanced:
        try:
            return Enhanced(straight_between(ground.given.xy_um, ground.values, ground.asked.xy_um))
        except QhullError as error:
            msg = f"spots that span an area expected on {ground.given.slide.id}, found all on one line: use nearest"
            raise InputError(msg) from error


def straight_between(
    places: Float[np.ndarray, "n 2"], values: Float[np.ndarray, "n n_genes"], asked: Float[np.ndarray, "m 2"]
) -> Float[np.ndarray, "m n_genes"]:
    """Interpolate over triangles, and take the nearest place's value beyond the outermost."""
    found = LinearNDInterpolator(places, values)(asked)
    outside = np.isnan(found[:, 0])
    _, nearest = cKDTree(places).query(asked[outside])
    found[outside] = values[nearest]
    return found
