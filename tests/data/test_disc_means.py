"""Means over large discs are those of the graph of neighbours, on arrays of any kind and on none."""

import tracemalloc

import numpy as np
import pytest

from mclstexp.data import neighbours
from mclstexp.data.disc_means import disc_means
from mclstexp.data.lattice import Lattice
from mclstexp.data.neighbours import mean_of_neighbours

RNG = np.random.default_rng(0)
COLUMN, ROW = (axis.ravel() for axis in np.mgrid[:28, :21])
HOLES = (RNG.random(len(ROW)) > 0.3) & (np.hypot(COLUMN - 12, ROW - 9) > 3)
SQUARE = np.column_stack([COLUMN, ROW])[HOLES].astype(float)
HEX = np.column_stack([2 * COLUMN + ROW % 2, ROW])[HOLES].astype(float)
TURNED = np.array([[np.cos(0.3), np.sin(0.3)], [np.sin(0.3), -np.cos(0.3)]])  # and mirrored
PLACES = {
    "square": (SQUARE * 8, SQUARE),
    "turned": (SQUARE * 8 @ TURNED, SQUARE),
    "shaken": (SQUARE * 8 + RNG.normal(0, 0.1, SQUARE.shape), SQUARE),
    "hexagonal": (HEX * [50, 50 * 3**0.5], HEX),
    "an array of other places": (SQUARE * 8, RNG.permutation(SQUARE)),
    "array positions in pixels": (SQUARE * 8, SQUARE * 1000),
    "an array with a gap in its numbers": (SQUARE * 8, np.where(np.arange(len(SQUARE)) == 5, np.nan, SQUARE.T).T),
    "scattered": (RNG.random((500, 2)) * 300, None),
    "twice the same": (np.repeat(RNG.random((100, 2)) * 100, 2, axis=0), None),
    "on a line": (np.column_stack([np.arange(60) * 8.0, np.zeros(60)]), None),
    "one far away": (np.vstack([SQUARE * 8, [[1e6, 1e6]]]), None),
    "in one point": (np.zeros((4, 2)), None),
}


def _by_graph(features, xy_um, radius_um):
    away = np.linalg.norm(xy_um[:, None] - xy_um, axis=2)
    near = (away <= radius_um) & ~np.eye(len(xy_um), dtype=bool)
    n_near = near.sum(axis=1, keepdims=True)
    return np.where(n_near > 0, near @ features.astype(float) / np.maximum(n_near, 1), features)


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("steps", [0.6, 1.0, 1.5, 5.0, 9.3, 500])
def test_the_mean_is_that_of_the_graph(name, steps):
    xy_um, array_xy = PLACES[name]
    radius_um = steps * (100 if name == "hexagonal" else 8)
    if name == "turned":
        radius_um += 1e-6  # who lies just at the radius is for rounding to say
    features = RNG.normal(1, 1, (len(xy_um), 3)).astype(np.float32)
    found = disc_means(features, xy_um, radius_um=radius_um, array_xy=array_xy)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, _by_graph(features, xy_um, radius_um), atol=1e-6)


def test_small_blocks_change_nothing(monkeypatch):
    xy_um, array_xy = PLACES["turned"]
    features = RNG.normal(size=(len(xy_um), 7)).astype(np.float32)
    whole = disc_means(features, xy_um, radius_um=40, array_xy=array_xy)
    monkeypatch.setattr("mclstexp.data.disc_means.BLOCK", 2000)
    for array in (array_xy, None):
        np.testing.assert_allclose(disc_means(features, xy_um, radius_um=40, array_xy=array), whole, atol=1e-6)


def test_an_array_is_its_own_lattice_and_squares_are_never_many():
    for name, (xy_um, array_xy) in PLACES.items():
        lattice = Lattice.over(xy_um, array_xy=array_xy, finest_um=0.01)
        on_array = name in ("square", "turned", "shaken", "hexagonal")
        assert (lattice.off_um < 1) == on_array or name in ("one far away", "in one point", "twice the same"), name
        assert lattice.n_cells <= 8 * len(xy_um)


def test_many_pairs_are_not_put_into_a_graph(monkeypatch):
    features = RNG.normal(size=(len(SQUARE), 2)).astype(np.float32)
    few = mean_of_neighbours(features, SQUARE * 8, radius_um=100)
    monkeypatch.setattr(neighbours, "MOST_PAIRS", 1000)
    monkeypatch.setattr(neighbours, "adjacency", None)
    many = mean_of_neighbours(features, SQUARE * 8, radius_um=100, array_xy=SQUARE)
    np.testing.assert_allclose(many, few, atol=1e-6)


def test_a_hundred_million_pairs_need_little_memory():
    array = np.column_stack([axis.ravel() for axis in np.mgrid[:110, :110]]).astype(float)
    features = RNG.normal(size=(len(array), 2)).astype(np.float32)
    tracemalloc.start()
    mean_of_neighbours(features, array * 8, radius_um=600, array_xy=array)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500e6  # the graph takes 5 GB
