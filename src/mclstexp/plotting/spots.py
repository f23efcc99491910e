"""Spots and tiles in their true size, by value or by category, and the part of a slide they lie on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import EllipseCollection, PolyCollection

from mclstexp.core.tiles import Slide, Tiles
from mclstexp.plotting.squares import draw_squares
from mclstexp.plotting.style import MISSING

View = tuple[float, float, float, float]
"""Left, right, top and bottom of what is shown, in µm from the slide's upper left corner."""

_MANY: Final = 3000  # beyond it, vector files keep the spots as a picture
_EDGE: Final = "#7f7f7f"
_EDGE_SHARE: Final = 0.04  # of a disc's width: a line of one width would drown small discs
_EDGE_PT: Final = 0.2


def draw_spots(
    ax: Axes,
    tiles: Tiles,
    values: Float[np.ndarray, " n"],
    *,
    limits: tuple[float, float],
    cmap: str,
    spot_um: float | None,
) -> ScalarMappable:
    """Draw one value per tile, in axes in µm.

    Parameters
    ----------
    ax
        Axes with their limits set.
    tiles
        Where.
    values
        (n,) what; NaN is drawn grey.
    limits, cmap
        Values at the ends of the colour map, and its name.
    spot_um
        Diameter of discs; None for the tiles' own squares.
    """
    if spot_um is None:
        return draw_squares(ax, tiles.xy_um, values, side=tiles.spec.size_um, limits=limits, cmap=cmap)
    discs = _discs(ax, tiles, spot_um)
    discs.set(array=np.ma.masked_invalid(values), clim=limits, cmap=mpl.colormaps[cmap].with_extremes(bad=MISSING))
    ax.add_collection(discs, autolim=False)
    return discs


def draw_coloured(ax: Axes, tiles: Tiles, colours: Sequence[str], *, spot_um: float | None) -> None:
    """Draw each tile in a colour of its own, as a disc of diameter `spot_um` or, without it, a square."""
    if spot_um is not None:
        shapes: EllipseCollection | PolyCollection = _discs(ax, tiles, spot_um)
    else:
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * tiles.spec.size_um / 2
        shapes = PolyCollection(list(tiles.xy_um[:, None] + corners), linewidth=0, rasterized=len(tiles) > _MANY)
    shapes.set_facecolor(list(colours))
    ax.add_collection(shapes, autolim=False)


def whole_view(slide: Slide) -> View:
    """Return a slide's whole extent."""
    width, height = slide.size_px
    return 0.0, float(width * slide.mpp), 0.0, float(height * slide.mpp)


def view_of(tiles: Tiles) -> View:
    """Return the part of the slide that holds all tiles, whole and with half a tile's margin."""
    _, width, _, height = whole_view(tiles.slide)
    left, top = (float(end) - tiles.spec.size_um for end in tiles.xy_um.min(axis=0))
    right, bottom = (float(end) + tiles.spec.size_um for end in tiles.xy_um.max(axis=0))
    return max(0.0, left), min(width, right), max(0.0, top), min(height, bottom)


def _discs(ax: Axes, tiles: Tiles, spot_um: float) -> EllipseCollection:
    size = np.full(len(tiles), float(spot_um))
    shown_um = abs(np.subtract(*ax.get_xlim()))
    dpi: float = ax.get_figure(root=True).dpi  # type: ignore[union-attr]  # axes that are drawn on have a figure
    width_pt = spot_um / shown_um * ax.get_window_extent().width / dpi * 72
    return EllipseCollection(
        size,
        size,
        np.zeros(len(tiles)),
        units="xy",
        offsets=tiles.xy_um,
        offset_transform=ax.transData,
        edgecolor=_EDGE,  # what is white stays visible on glass
        linewidth=min(_EDGE_PT, _EDGE_SHARE * width_pt),
        rasterized=len(tiles) > _MANY,
    )
