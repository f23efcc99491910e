"""The default: kriging, with one length and one share of noise for all genes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mclstexp.core.enhancer import Enhanced, Enhancer, Ground, register
from mclstexp.core.errors import InputError
from mclstexp.enhancement.gaussian_process import LENGTHS, NOISES, Process, learn, matern, predict
from mclstexp.io.pitch import neighbour_distance_px


@register("kriging")
@dataclass
class Kriging(Enhancer):
    """Kriging: the mean of a Gaussian process (Matérn 3/2); length and noise by left-out spots, shared by all genes.

    A measured spot's answer is what it and its neighbours say together, and is not its own measurement.
    """

    length_um: float | None = None
    """How far expression goes along; by default the best of 0.5 to 32 distances of neighbouring spots."""
    noise: float | None = None
    """A spot's own variance over that of the map; by default the best of 0.03 to 30."""
    seed: int = 0
    """Which patches of a large section length and noise are learnt on."""

    def __post_init__(self) -> None:
        for name, value in (("length_um", self.length_um), ("noise", self.noise)):
            if value is not None and not 0 < value < np.inf:
                msg = f"{name} must be positive and finite, found {value}: leave it out to have it chosen"
                raise InputError(msg)

    def _enhance(self, ground: Ground) -> Enhanced:
        given, asked = ground.given.xy_um, ground.asked.xy_um
        process = self.learn(given, ground.values)
        return Enhanced(*predict(process, given, ground.values, asked))

    def learn(self, given: NDArray[np.float64], values: NDArray[np.float64]) -> Process:
        """Choose length and noise for all genes together."""
        lengths = (self.length_um,) if self.length_um else tuple(step * pitch(given) for step in LENGTHS)
        correlations = [partial(matern, length_um=length) for length in lengths]
        return learn(given, values, correlations, noises=(self.noise,) if self.noise else NOISES, seed=self.seed)


def pitch(xy_um: NDArray[np.float64]) -> float:
    """Return the distance of neighbouring spots, µm."""
    return neighbour_distance_px(xy_um) or float(np.ptp(xy_um, axis=0).max())
