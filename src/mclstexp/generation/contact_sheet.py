"""Pictures of tiles laid side by side on one slide, so that all that reads slides reads them."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import UInt8

from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.slides import ArraySlide

_RIM_PX: Final = 2


def sheet_of(pictures: UInt8[np.ndarray, "n side side 3"], *, mpp: float, id: str, spec: TileSpec) -> Tiles:  # noqa: A002
    """Return tiles of a slide that is made of pictures; where they lie means nothing.

    Parameters
    ----------
    pictures
        RGB.
    mpp
        µm per pixel of the pictures.
    id
        Name of the slide.
    spec
        Size and scale at which they are read.
    """
    # read at a finer scale, a tile's rim would show its neighbour's
    framed = np.pad(pictures, [(0, 0), (_RIM_PX, _RIM_PX), (_RIM_PX, _RIM_PX), (0, 0)], mode="edge")
    n, side = framed.shape[:2]
    n_columns = math.ceil(math.sqrt(n))
    places = np.arange(n)
    row, column = places // n_columns, places % n_columns
    canvas = np.full((math.ceil(n / n_columns) * side, n_columns * side, 3), 255, np.uint8)
    for picture, top, left in zip(framed, row * side, column * side, strict=True):
        canvas[top : top + side, left : left + side] = picture
    xy = np.column_stack([column, row]) * side + side / 2
    return Tiles(ArraySlide(canvas, mpp=mpp, id=id), xy, np.array([f"{id}-{place}" for place in places]), spec)
