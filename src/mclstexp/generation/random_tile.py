"""Any training tile, whatever is asked for: the control of every generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from mclstexp.core.generator import Features, register
from mclstexp.generation.kept_tiles import KeptTiles


@register("random_tile")
@dataclass
class RandomTile(KeptTiles):
    """Control: a real training tile drawn by chance; what is asked for is not looked at."""

    def _rows(self, features: Features, seed: int) -> Int[np.ndarray, " n"]:
        draws = [
            np.random.default_rng([self.seed, seed, row]).integers(len(self._features)) for row in range(len(features))
        ]
        return np.array(draws, np.intp)
