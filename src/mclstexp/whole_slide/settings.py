"""`SlideSettings`: how a slide is cut into tiles, and what is written of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from mclstexp.core.errors import InputError
from mclstexp.io.outlines import Frame

OutputFormat = Literal["h5ad", "spatialdata"]


@dataclass(frozen=True)
class SlideSettings:
    """How a slide is cut into tiles, and what is written of it.

    Raises
    ------
    InputError
        If a length is not positive, or the format is none of the two.
    """

    stride_um: float | None = None
    """Distance between tile centres (µm); the tile's side by default, smaller for overlapping tiles."""
    name: str | None = None
    """Name of the slide in the result; the file's by default."""
    mpp: float | None = None
    """Micrometres per level-0 pixel of the slide, over what the file says."""
    mask: str | None = None
    """GeoJSON file with the regions to predict, in level-0 pixels (QuPath's export); found on the slide by default."""
    mask_frame: Frame | None = None
    """Where the mask's (0, 0) is: "qupath", the corner of what was scanned; "openslide", of the glass; found out by
    default."""
    allow_upsampling: bool = False
    """Whether a slide coarser than the model's tiles is taken all the same; the result is stamped with it."""
    gene: str | None = None
    """Gene of the picture beside the result; by default the one whose prediction varies most."""
    heatmaps: tuple[str, ...] = ()
    """Genes of which an OME-TIFF is written too, a pixel per tile."""
    format: OutputFormat = "h5ad"
    """"h5ad": AnnData; "spatialdata": a zarr store with picture, tile and tissue shapes and the table."""

    def __post_init__(self) -> None:
        for name in ("stride_um", "mpp"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                msg = f"{name} must be a positive number of µm, found {value!r}"
                raise InputError(msg)
        if self.mask_frame not in (None, *get_args(Frame)):
            msg = f"mask_frame must be qupath or openslide, found {self.mask_frame!r}"
            raise InputError(msg)
        if self.format not in ("h5ad", "spatialdata"):
            msg = f"format of a slide's prediction must be h5ad or spatialdata, found {self.format!r}"
            raise InputError(msg)
        object.__setattr__(self, "heatmaps", tuple(self.heatmaps))
