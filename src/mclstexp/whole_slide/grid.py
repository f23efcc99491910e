"""From a slide to the tiles that are predicted: scale, tissue, grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Int
from numpy.typing import ArrayLike, NDArray

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.data.tissue import find_tissue
from mclstexp.io.regions import Regions
from mclstexp.whole_slide.masks import CORNER, read_mask
from mclstexp.whole_slide.settings import SlideSettings

_AS_FINE: Final = 1.05  # scanners state their mpp no better than that


@dataclass(frozen=True, eq=False)
class Grid:
    """What is predicted of a slide."""

    tiles: Tiles
    """Where."""
    regions: Regions
    """The tissue, found or given."""
    region: Int[np.ndarray, " n_tiles"]
    """Number of each tile's region; -1 outside all (only places that were asked for by name)."""
    stride_um: float | None
    """Distance between centres; None for given places."""
    doubts: tuple[str, ...] = ()
    """What is doubtful of it, a sentence each."""
    laid_over: str = "the places given"
    """What tiles were laid over, in words."""


def lay_grid(slide: Slide, spec: TileSpec, *, settings: SlideSettings, places: ArrayLike | None = None) -> Grid:
    """Find the tissue and lay tiles over it; a tile belongs where its centre lies.

    Parameters
    ----------
    slide, spec
        What is read, and the tiles the model was fitted on.
    settings
        Stride, mask.
    places
        (n, 2) centres in level-0 pixels, taken as they are in place of a grid.

    Raises
    ------
    InputError
        If the slide is coarser than the tiles, there is no tissue, or no tile's centre lies in it.
    """
    check_scale(slide, spec, allowed=settings.allow_upsampling)
    doubts, laid_over = list[str](), "the tissue that was found"
    if settings.mask is not None:
        regions, doubts, frame = read_mask(settings.mask, slide, frame=settings.mask_frame)
        corner = "" if frame is None else f" ((0, 0) {CORNER[frame]})"
        laid_over = f"the regions of {Path(settings.mask).name}{corner}"
    else:
        regions = Regions((), ()) if places is not None else find_tissue(slide)
    if places is not None:
        xy: NDArray[np.float64] = np.asarray(places, np.float64)
        ids = np.arange(len(xy)).astype(np.str_)
        tiles = Tiles(slide=slide, xy=xy, ids=ids, spec=spec)
        return Grid(tiles, regions, regions.locate(tiles.xy), None, tuple(doubts))
    stride_um = spec.size_um if settings.stride_um is None else settings.stride_um
    tiles = Tiles.grid(slide, spec=spec, stride_um=stride_um)
    region = regions.locate(tiles.xy)
    if not (region >= 0).any():
        msg = (
            f"{slide.id}: a tile centre of the {stride_um:g} µm grid inside the regions "
            f"({regions.area_um2(slide.mpp) / 1e6:.3g} mm²) expected, found none: give a smaller {word('stride_um')}"
        )
        raise InputError(msg)
    return Grid(tiles.take(region >= 0), regions, region[region >= 0], stride_um, tuple(doubts), laid_over)


def check_scale(slide: Slide, spec: TileSpec, *, allowed: bool) -> float:
    """Return by how much tiles are enlarged beyond what the slide shows; 1 where they are not.

    Raises
    ------
    InputError
        If they are, and that is not allowed.
    """
    factor = slide.mpp / spec.mpp
    if factor <= _AS_FINE:
        return 1.0
    if not allowed:
        msg = (
            f"{slide.id}: a slide of at most {spec.mpp:g} µm per pixel, as the model's tiles have, expected, found "
            f"{slide.mpp:g}: give a finer scan, or {word('allow_upsampling')}, which blurs the tiles"
        )
        raise InputError(msg)
    return float(factor)
