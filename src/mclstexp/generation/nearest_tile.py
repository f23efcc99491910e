"""The training tile whose features are most like those asked for: the baseline of every generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from mclstexp.core.generator import Features, register
from mclstexp.generation.kept_tiles import KeptTiles

_LEAST_SPREAD = 1e-6


@register("nearest_tile")
@dataclass
class NearestTile(KeptTiles):
    """Baseline: the real training tile whose z-scored features have the largest cosine with those asked for."""

    def _rows(self, features: Features, seed: int) -> Int[np.ndarray, " n"]:  # noqa: ARG002  nothing is drawn
        centre, spread = self._features.mean(axis=0), np.maximum(self._features.std(axis=0), _LEAST_SPREAD)
        kept, asked = ((part - centre) / spread for part in (self._features, features))
        kept /= np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), _LEAST_SPREAD)
        return np.argmax(asked @ kept.T, axis=1)
