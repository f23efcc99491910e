"""Kriging that looks: places that look alike go along more closely than others as near."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist
from sklearn.decomposition import PCA

from mclstexp.core.enhancer import Enhanced, Enhancer, Ground, register
from mclstexp.enhancement.gaussian_process import LENGTHS, NOISES, Places, learn, matern, predict
from mclstexp.enhancement.kriging import pitch
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.numerics import numerics

SHARES: Final = (0.0, 0.3, 1.0, 3.0)
"""Weights of the look beside that of the place alone that are tried."""
_MOST_SPOTS: Final = 2000


@register("image_kriging")
@dataclass
class ImageKriging(Enhancer):
    """Kriging whose correlation is that of places times 1 + ρ that of what frozen tile features see there.

    Tiles exist where spots do not: of two places as far from a spot, the one that looks like it is more like it. ρ is
    chosen with length and noise by left-out spots, 0 among what is tried.
    """

    encoder: str = "efficientnet_lite0"
    """Frozen image encoder, as of the other methods."""
    n_components: int = 20
    """Principal components of the features of the given spots that are compared."""
    seed: int = 0
    """Which patches of a large section are learnt on."""

    def _numerics(self) -> dict[str, str]:
        return numerics(self, encoder=self.encoder)

    def _enhance(self, ground: Ground) -> Enhanced:
        given, asked = self._places(ground)
        steps = [step * pitch(given[:, :2]) for step in LENGTHS]
        looks = _usual_distance(given[:, 2:])
        correlations = [
            partial(matern_of_looks, length_um=length, looks=looks, share=share) for length in steps for share in SHARES
        ]
        process = learn(given, ground.values, correlations, noises=NOISES, seed=self.seed)
        return Enhanced(*predict(process, given, ground.values, asked))

    def _places(self, ground: Ground) -> tuple[Places, Places]:
        """Return (µm, components of what is seen) of the given spots and of the places."""
        given, asked = (embed_tiles(tiles, self.encoder) for tiles in (ground.given, ground.asked))
        spread = given.std(axis=0)
        centre, spread = given.mean(axis=0), np.where(spread > 0, spread, 1)
        n = min(self.n_components, len(given) - 1, given.shape[1])
        components = PCA(n, svd_solver="full").fit((given - centre) / spread)
        first, second = (
            np.column_stack([tiles.xy_um, components.transform((features - centre) / spread)])
            for tiles, features in ((ground.given, given), (ground.asked, asked))
        )
        return first, second


def matern_of_looks(one: Places, other: Places, *, length_um: float, looks: float, share: float) -> NDArray[np.float64]:
    """Return the correlation of places (µm first, then what is seen there), weighed by how alike they look."""
    near = matern(one, other, length_um=length_um)
    if share == 0:
        return near
    alike = np.exp(-cdist(one[:, 2:], other[:, 2:], "sqeuclidean") / (2 * looks**2))
    return near * (1 + share * alike) / (1 + share)


def _usual_distance(seen: NDArray[np.float64]) -> float:
    """Return the median distance of what is seen at two spots."""
    return float(np.median(pdist(seen[:: -(-len(seen) // _MOST_SPOTS)]))) or 1.0
