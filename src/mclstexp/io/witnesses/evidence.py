"""What a reader found that places or scales a section, each with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mclstexp.core.tiles import Slide

Kind = Literal["scale", "spots", "size", "orientation", "outside", "swapped", "mirrored", "shared", "tissue", "colour"]


@dataclass(frozen=True)
class Statement:
    """µm per pixel of the image, as one source has it."""

    source: str
    """Who says it, as in "the image's header"."""
    mpp: float
    """µm per pixel of the image."""
    of_spots: bool = False
    """Whether it follows from where spots lie, so that wrong places make it wrong."""


@dataclass(frozen=True, eq=False)
class StoredPicture:
    """A reduced picture kept beside the spots, as Space Ranger's ``tissue_hires_image.png``."""

    name: str
    """What it is called."""
    size_px: tuple[int, int]
    """(width, height)."""
    scale: float
    """Its pixels per full-resolution pixel."""
    pixels: NDArray[np.uint8] | None = None
    """(height, width, 3) RGB; None where only the size is known."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that a reader found on where and how large things are."""

    slide: Slide
    """The image."""
    xy: Float[np.ndarray, "n 2"]
    """Spots, (column, row) in pixels of the image."""
    scales: tuple[Statement, ...]
    """µm per pixel by each source; the first is the one in use."""
    spot_px: float | None = None
    """Diameter that the data state for a spot, in pixels of the image."""
    spot_um: float | None = None
    """Diameter that the data state for a spot, µm."""
    visium: bool = False
    """Whether the spots are known to be a Visium array's: 55 µm wide, 100 µm apart."""
    pictures: tuple[StoredPicture, ...] = ()
    """Reduced pictures of the same image."""
    sizes: tuple[tuple[str, tuple[float, float]], ...] = ()
    """Who states which (width, height) of the full image."""
    image_scale: float = 1.0
    """Pixels of the image per full-resolution pixel; not 1 where a reduced picture is read on purpose."""


@dataclass(frozen=True)
class Finding:
    """Two witnesses that disagree, or something dropped, blank or assumed."""

    kind: Kind
    """What it is about."""
    text: str
    """One sentence with both numbers and what settles it, without the section's name."""
    refused: bool = False
    """Whether nothing sensible can come out of the data as they are."""
