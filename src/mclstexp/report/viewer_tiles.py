"""A slide cut into the pyramid of small pictures a deep-zoom viewer asks for."""

from __future__ import annotations

import io
import math
import threading
from collections import OrderedDict
from typing import Final

from PIL import Image

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide, TileSpec

TILE_PX: Final = 512
"""Side of a picture; fewer and larger than DeepZoom's 254, for no network lies between."""
_QUALITY: Final = 90
_CACHE_BYTES: Final = 128 * 2**20


class TilePyramid:
    """Pictures of a slide by level, column and row, cut when they are asked for.

    Geometry is DeepZoom's: a level halves the next, the last is the slide itself, a picture covers `TILE_PX` pixels of
    its level, those at the right and lower rim what is left. Level 0 is the one that fits into one picture. Pixels come
    from `Slide.read`, so that whatever can be predicted can be looked at.

    Parameters
    ----------
    slide
        Read from several threads at once.
    """

    def __init__(self, slide: Slide) -> None:
        self._slide = slide
        self.max_level = max(0, math.ceil(math.log2(max(slide.size_px) / TILE_PX)))
        self._kept: OrderedDict[tuple[int, int, int], bytes] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()

    def tile_size_px(self, level: int, column: int, row: int) -> tuple[int, int]:
        """Return (width, height) of a picture.

        Raises
        ------
        InputError
            If there is no such picture.
        """
        if not 0 <= level <= self.max_level:
            msg = f"a level from 0 to {self.max_level} expected, found {level}: ask for one of them"
            raise InputError(msg)
        scale = 2 ** (self.max_level - level)
        left = [side / scale - TILE_PX * at for side, at in zip(self._slide.size_px, (column, row), strict=True)]
        if column < 0 or row < 0 or min(left) <= 0:
            msg = f"a picture of level {level} expected, found column {column} and row {row}: they lie off the slide"
            raise InputError(msg)
        # a level ends within a pixel; what is beyond half of one is white
        width, height = (min(TILE_PX, max(1, round(side))) for side in left)
        return width, height

    def jpeg(self, level: int, column: int, row: int) -> bytes:
        """Return a picture as JPEG; those looked at lately are kept.

        Raises
        ------
        InputError
            If there is no such picture, or the slide is damaged there.
        """
        key = (level, column, row)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        picture = self._encode(level, column, row)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = picture
                self._n_bytes += len(picture)
            while self._n_bytes > _CACHE_BYTES:
                self._n_bytes -= len(self._kept.popitem(last=False)[1])
        return picture

    def _encode(self, level: int, column: int, row: int) -> bytes:
        width, height = self.tile_size_px(level, column, row)
        scale = 2 ** (self.max_level - level)
        centre = ((column + 0.5) * TILE_PX * scale, (row + 0.5) * TILE_PX * scale)
        pixels = self._slide.read(centre, TileSpec(TILE_PX, self._slide.mpp * scale))
        written = io.BytesIO()
        # colour as sharp as brightness (no subsampling): stains differ in colour
        Image.fromarray(pixels[:height, :width]).save(written, "JPEG", quality=_QUALITY, subsampling=0)
        return written.getvalue()
