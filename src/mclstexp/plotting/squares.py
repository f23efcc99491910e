"""Squares of one size in one colour each: polygons while they are few, a picture when they are many."""

from __future__ import annotations

from typing import Final

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import ListedColormap
from numpy.typing import NDArray

from mclstexp.plotting.style import MISSING

_MANY: Final = 3000  # beyond it, vector files keep the squares as a picture
_TOO_MANY: Final = 20_000  # polygons beyond it take seconds and hundreds of megabytes
_OFF_GRID: Final = 0.01  # of a side, within which a centre lies on its place of the grid


def draw_squares(
    ax: Axes,
    xy: Float[np.ndarray, "n 2"],
    values: Float[np.ndarray, " n"],
    *,
    side: float,
    limits: tuple[float, float],
    cmap: str,
) -> ScalarMappable:
    """Draw one square per value, in the axes' units.

    Parameters
    ----------
    ax
        Axes with their limits set and row 0 on top.
    xy
        Centres.
    values
        What; NaN is drawn grey.
    side
        Of every square.
    limits, cmap
        Values at the ends of the colour map, and its name.

    Returns
    -------
    What a colour bar can be made of: a PolyCollection, or an image if there are more than 20,000 squares and they
    fill places of a grid as wide as they are.
    """
    places = grid_places(xy, side=side) if len(xy) > _TOO_MANY else None
    if places is not None:
        return _picture(ax, xy, values, places=places, side=side, look=(limits, cmap))
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * side / 2
    squares = PolyCollection(list(xy[:, None] + corners))
    squares.set(
        array=np.ma.masked_invalid(values),
        clim=limits,
        cmap=mpl.colormaps[cmap].with_extremes(bad=MISSING),
        edgecolor="face",
        linewidth=0,
        rasterized=len(xy) > _MANY,
    )
    ax.add_collection(squares, autolim=False)
    return squares


def grid_places(xy: Float[np.ndarray, "n 2"], *, side: float) -> Int[np.ndarray, "n 2"] | None:
    """Return each square's (column, row) from the first on, or None if they lie on no grid as wide as they are."""
    steps = (xy - xy.min(axis=0)) / side
    places = np.round(steps).astype(int)
    on_grid = bool((np.abs(steps - places) < _OFF_GRID).all())
    return places if on_grid and len(np.unique(places, axis=0)) == len(places) else None


def _picture(
    ax: Axes,
    xy: Float[np.ndarray, "n 2"],
    values: Float[np.ndarray, " n"],
    *,
    places: Int[np.ndarray, "n 2"],
    side: float,
    look: tuple[tuple[float, float], str],
) -> ScalarMappable:
    """Draw squares as pixels; what has no value is grey, what has no square is not drawn."""
    columns, rows = places.T
    shape = (rows.max() + 1, columns.max() + 1)
    left, top = xy.min(axis=0) - side / 2
    extent = (left, left + shape[1] * side, top + shape[0] * side, top)
    bounds = (ax.get_xlim(), ax.get_ylim())
    missing = ~np.isfinite(values)
    if missing.any():
        _imshow(ax, _raster(shape, rows[missing], columns[missing], missing[missing]), extent, cmap=MISSING)
    limits, cmap = look
    image = _imshow(ax, _raster(shape, rows, columns, values), extent, cmap=cmap)
    image.set_clim(limits)
    ax.set(xlim=bounds[0], ylim=bounds[1])
    return image


def _raster(shape: tuple[int, int], rows: NDArray, columns: NDArray, values: NDArray) -> np.ma.MaskedArray:
    raster = np.full(shape, np.nan, np.float32)
    raster[rows, columns] = values
    return np.ma.masked_invalid(raster)


def _imshow(
    ax: Axes, raster: np.ma.MaskedArray, extent: tuple[float, float, float, float], *, cmap: str
) -> ScalarMappable:
    colours = mpl.colormaps[cmap] if cmap in mpl.colormaps else ListedColormap([cmap])
    return ax.imshow(raster, extent=extent, cmap=colours.with_extremes(bad=(0, 0, 0, 0)), interpolation="nearest")
