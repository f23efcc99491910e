"""What stain a place has, for thousands of ways in which spots could lie: fifteen numbers at every point of a slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage

from mclstexp.core.tiles import Slide, TileSpec
from mclstexp.nn.colour import NUMBERS, stains
from mclstexp.sight.sight import COLOUR_WIDTHS

_PIXELS_A_TILE: Final = 10
"""Side of a tile in pixels of the map: a place is found to a tenth of it."""
_MOST_PX: Final = 1500
"""Longer side of the map; of a larger slide its pixels are coarser."""


@dataclass(frozen=True, eq=False)
class StainMap:
    """The numbers of `sight.sight.colour_numbers` at every point of a slide, measured on a thumbnail; glass around."""

    numbers: Float[np.ndarray, "rows columns 15"]
    """float32."""
    scale: float
    """Pixels of the map per pixel of the slide."""
    margin: int
    """Pixels of glass that were laid around."""
    size_px: tuple[int, int]
    """(width, height) of the slide."""

    @classmethod
    def of(cls, slide: Slide, *, width_um: float = TileSpec().size_um) -> Self:
        """Measure a slide; `width_um` is the side of the narrowest square over which stain is averaged."""
        side = round(max(slide.size_px) * slide.mpp / width_um * _PIXELS_A_TILE)
        picture = slide.thumbnail(min(max(side, 16), _MOST_PX))
        scale = picture.shape[1] / slide.size_px[0]
        widths = [max(1, round(width * width_um / slide.mpp * scale)) for width in COLOUR_WIDTHS]
        margin = widths[-1]
        images = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]
        shown = [np.pad(plane, margin) for plane in stains(images)[0].numpy()]  # glass has none of any
        means = [[ndimage.uniform_filter(plane, width) for plane in shown] for width in widths]
        squares = [ndimage.uniform_filter(plane**2, widths[0]) for plane in shown]
        spreads = [np.sqrt(np.maximum(square - mean**2, 0)) for square, mean in zip(squares, means[0], strict=True)]
        planes = [*means[0], *spreads, *(plane for wider in means[1:] for plane in wider)]
        assert len(planes) == len(NUMBERS) * (len(COLOUR_WIDTHS) + 1)
        return cls(np.stack(planes, axis=-1), scale, margin, slide.size_px)

    def at(self, xy: Float[np.ndarray, "*many 2"]) -> Float[np.ndarray, "*many 15"]:
        """Return the numbers at places in pixels of the slide; beside it as at its nearest edge of glass."""
        rows, columns = self.numbers.shape[:2]
        place = np.floor(xy * self.scale).astype(np.intp) + self.margin
        return self.numbers[np.clip(place[..., 1], 0, rows - 1), np.clip(place[..., 0], 0, columns - 1)]

    def holds(self, xy: Float[np.ndarray, "*many 2"]) -> Bool[np.ndarray, "*many"]:
        """Whether places are on the slide."""
        return np.asarray(((xy >= 0) & (xy < np.array(self.size_px))).all(axis=-1))
