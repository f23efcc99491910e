"""`ReadableSlide`: a slide some of whose pixels are damaged, read to the end all the same."""

from __future__ import annotations

import threading
from typing import final

import numpy as np
from jaxtyping import Bool
from numpy.typing import ArrayLike, NDArray

from mclstexp.core.tiles import Slide, Tiles, TileSpec


@final
class ReadableSlide(Slide):
    """A slide that gives white where it cannot be decoded, and remembers where that was.

    Parameters
    ----------
    slide
        Where the pixels come from.
    """

    def __init__(self, slide: Slide) -> None:
        self.id, self.mpp, self.size_px, self.stored = slide.id, slide.mpp, slide.size_px, slide.stored
        self._slide, self._lock = slide, threading.Lock()
        self._failed: set[tuple[float, float]] = set()
        self.reason = ""
        """What the first failure said."""

    @property
    def bounds_px(self) -> tuple[int, int, int, int]:
        """See `Slide.bounds_px`."""
        return self._slide.bounds_px

    def stored_xy(self) -> NDArray[np.float64]:
        """See `Slide.stored_xy`."""
        return self._slide.stored_xy()

    def read(self, xy: ArrayLike, spec: TileSpec) -> NDArray[np.uint8]:
        """See `Slide.read`; white where the pixels are damaged."""
        try:
            return self._slide.read(xy, spec)
        except Exception as error:  # noqa: BLE001  decoders raise anything
            x, y = np.asarray(xy, np.float64).tolist()
            with self._lock:
                self._failed.add((x, y))
                self.reason = self.reason or str(error)
            return np.full((spec.size_px, spec.size_px, 3), 255, np.uint8)

    def thumbnail(self, max_size_px: int) -> NDArray[np.uint8]:
        """See `Slide.thumbnail`."""
        return self._slide.thumbnail(max_size_px)

    def fingerprint(self) -> str:
        """See `Slide.fingerprint`; kept apart from the slide's own, for white is not what the file holds."""
        return f"{self._slide.fingerprint()}, readable"

    def unreadable(self, tiles: Tiles) -> Bool[np.ndarray, " n_tiles"]:
        """Say which tiles could not be read: a failure was centred inside them (a part of a tile counts)."""
        found = np.zeros(len(tiles), bool)
        half = tiles.spec.size_um / self.mpp / 2
        with self._lock:
            failed = sorted(self._failed)
        for place in failed:
            found |= (np.abs(tiles.xy - place) < half).all(axis=1)
        return found
