"""`RecentFeatures`: tile embeddings in memory, so that blocks of a slide that overlap compute each place once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float

from mclstexp.data.features import places

LIMIT_BYTES: Final = 512 * 2**20
"""A rim of 600 µm around a band of 100 µm tiles, each seen in eight symmetries at three widths, takes 400 MB."""


@dataclass(frozen=True, eq=False)
class _Shard:
    key: str
    places: np.ndarray  # sorted
    features: np.ndarray

    @property
    def n_bytes(self) -> int:
        return self.places.nbytes + self.features.nbytes

    @property
    def lowest_px(self) -> float:
        return float(self.places.imag.max())


@final
class RecentFeatures:
    """The last embeddings that were computed, up to a number of bytes; the oldest go first.

    A whole slide goes through it in blocks. The disk cache would keep gigabytes that nobody asks for again.

    Parameters
    ----------
    limit_bytes
        What is kept at most. With less than a block and its rim need, places are computed again: slower, never wrong.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._shards: deque[_Shard] = deque()

    def under(self, key: str) -> KeptFeatures:
        """Return what is kept under one key of `identity.of_features`."""
        return KeptFeatures(self, key)

    @property
    def n_bytes(self) -> int:
        """How much is kept now."""
        return sum(shard.n_bytes for shard in self._shards)

    def forget_above(self, row_px: float) -> None:
        """Forget what lies wholly above a row (level-0 pixels): a slide is gone through from top to bottom."""
        self._shards = deque(shard for shard in self._shards if shard.lowest_px >= row_px)

    def _add(self, shard: _Shard) -> None:
        self._shards.append(shard)
        while self.n_bytes > self._limit and len(self._shards) > 1:
            self._shards.popleft()

    def _under(self, key: str) -> list[_Shard]:
        return [shard for shard in self._shards if shard.key == key]


@final
class KeptFeatures:
    """Embeddings under one key; the same calls as `FeatureCache`."""

    def __init__(self, store: RecentFeatures, key: str) -> None:
        self._store, self._key = store, key

    def lookup(
        self, xy: Float[np.ndarray, "n_tiles 2"], *, dim: int
    ) -> tuple[Float[np.ndarray, "n_tiles dim"], Bool[np.ndarray, " n_tiles"]]:
        """See `FeatureCache.lookup`."""
        features, present = np.zeros((len(xy), dim), np.float32), np.zeros(len(xy), bool)
        wanted = places(xy)
        for shard in self._store._under(self._key):
            at = np.searchsorted(shard.places, wanted).clip(max=len(shard.places) - 1)
            hit = shard.places[at] == wanted
            features[hit] = shard.features[at[hit]]
            present |= hit
        return features, present

    def add(self, xy: Float[np.ndarray, "n_tiles 2"], features: Float[np.ndarray, "n_tiles dim"]) -> None:
        """See `FeatureCache.add`."""
        if len(xy):
            order = np.argsort(places(xy))
            self._store._add(_Shard(self._key, places(xy)[order], np.asarray(features, np.float32)[order]))

    def check_writable(self) -> None:
        """See `FeatureCache.check_writable`; memory is."""

    @contextmanager
    def turn(self) -> Iterator[None]:
        """See `FeatureCache.turn`; no other process sees this."""
        yield
