"""Squares: the same places as polygons and as a picture."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from mclstexp.plotting import squares
from mclstexp.plotting.squares import draw_squares, grid_places
from mclstexp.plotting.style import MISSING

GRID = np.stack(np.meshgrid(np.arange(5), np.arange(4)), axis=-1).reshape(-1, 2) * 10.0 + 15
XY = np.delete(GRID, [6, 7], axis=0)
VALUES = np.arange(len(XY), dtype=float)
VALUES[3] = np.nan


def axes():
    ax = Figure(figsize=(2, 1.6), dpi=50).subplots()
    ax.set(xlim=(0, 100), ylim=(80, 0), position=(0, 0, 1, 1))
    ax.set_axis_off()
    return ax


def drawn(xy=XY, side=10.0):
    ax = axes()
    return ax, draw_squares(ax, xy, VALUES, side=side, limits=(0.0, 17.0), cmap="viridis")


def pixels(ax):
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def colour_at(picture, x, y):
    return picture[int(y), int(x)]


@pytest.mark.parametrize("limit", [20_000, 0], ids=["polygons", "picture"])
def test_each_square_has_its_colour_and_the_rest_none(monkeypatch, limit):
    monkeypatch.setattr(squares, "_TOO_MANY", limit)
    ax, mappable = drawn()
    assert isinstance(mappable, PolyCollection) == bool(limit)
    picture = pixels(ax)
    for (x, y), value in zip(XY, VALUES, strict=True):
        rgb = mpl.colors.to_rgb(MISSING) if np.isnan(value) else mpl.colormaps["viridis"](value / 17)[:3]
        for dx, dy in ((0, 0), (-3.5, 3.5), (3.5, -3.5)):
            assert np.abs(colour_at(picture, x + dx, y + dy) - np.multiply(rgb, 255)).max() <= 2
    for x, y in (*GRID[[6, 7]], (5, 5), (63, 40)):
        assert (colour_at(picture, x, y) == 255).all()
    assert ax.get_xlim() == (0, 100)
    assert ax.get_ylim() == (80, 0)
    assert mappable.get_clim() == (0, 17)
    np.testing.assert_array_equal(np.sort(np.ma.compressed(mappable.get_array())), np.sort(VALUES[~np.isnan(VALUES)]))


def test_squares_that_fill_no_grid_stay_polygons(monkeypatch):
    monkeypatch.setattr(squares, "_TOO_MANY", 0)
    assert isinstance(drawn(side=4.0)[1], PolyCollection)
    assert isinstance(drawn(XY + np.where(np.arange(len(XY)) == 4, 2.0, 0)[:, None])[1], PolyCollection)
    assert grid_places(np.array([[0.0, 0], [0, 0]]), side=1.0) is None
    assert grid_places(np.array([[7.0, 9], [5, 12]]), side=1.0).tolist() == [[2, 0], [0, 3]]
