"""The tissue under the spots, as a picture small enough to be mailed."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from PIL import Image

from mclstexp.core import keys
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.plotting.spots import view_of

SIDE_PX: Final = 2000
"""Longest side of a picture."""
_QUALITY: Final = 80  # of the JPEG: its blocks cannot be seen under spots
_SQUARE: Final = 0.99  # a spot as wide as the distance to the next is a bin, not a disc


@dataclass(frozen=True)
class Thumbnail:
    """A picture of the part of a slide where a section's spots lie."""

    jpeg: bytes
    """The picture."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    um_per_px: float
    """Scale of the picture."""
    xy: Float[np.ndarray, "n_spots 2"]
    """(n_spots, 2) centres of the spots in its pixels, float32."""

    def describe(self) -> dict[str, Any]:
        """Return the picture as the page's data hold it."""
        jpeg = base64.b64encode(self.jpeg).decode("ascii")
        return {"jpeg": jpeg, "width": self.width, "height": self.height, "um_per_px": self.um_per_px}


def take_thumbnail(section: Section, *, side_px: int = SIDE_PX) -> Thumbnail:
    """Photograph the tissue under a section's spots, with half a tile's margin.

    Parameters
    ----------
    section
        Where.
    side_px
        Longest side of the picture; never more than the slide has.
    """
    slide = section.tiles.slide
    left, right, top, bottom = view_of(section.tiles)
    longest = max(right - left, bottom - top)
    um_per_px = max(longest / side_px, slide.mpp)
    spec = TileSpec(max(1, round(longest / um_per_px)), um_per_px)
    square = slide.read(np.array([(left + right) / 2, (top + bottom) / 2]) / slide.mpp, spec)
    width, height = (min(spec.size_px, max(1, round(um / um_per_px))) for um in (right - left, bottom - top))
    x, y = (spec.size_px - width) // 2, (spec.size_px - height) // 2
    corner = np.array([(left + right) / 2, (top + bottom) / 2]) - (spec.size_px / 2 - np.array([x, y])) * um_per_px
    buffer = io.BytesIO()
    Image.fromarray(square[y : y + height, x : x + width]).save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    xy = ((section.tiles.xy_um - corner) / um_per_px).astype(np.float32)
    return Thumbnail(buffer.getvalue(), width, height, um_per_px, xy)


def spot_shape(section: Section) -> tuple[str, float]:
    """Return what a spot looks like: "circle" and its diameter, or "square" and its side, in µm."""
    uns = section.counts.uns
    diameter, pitch = (uns.get(name) for name in (keys.SPOT_DIAMETER_UM, keys.PITCH_UM))
    if diameter and pitch:
        return "square" if diameter > _SQUARE * pitch else "circle", float(diameter)
    if diameter:
        return "circle", float(diameter)
    return "square", float(pitch or section.tiles.spec.size_um)
