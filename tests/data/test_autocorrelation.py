"""Moran's I: worked by hand on 3 × 3 spots, computed by esda elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mclstexp.data.autocorrelation import morans_i, neighbour_weights

GRID = np.array([[x * 200.0, y * 200.0] for y in range(3) for x in range(3)])
ROW, STEP = (a.ravel() for a in np.mgrid[:6, :5])
HEX = np.column_stack([(2 * STEP + ROW % 2) * 50.0, ROW * 50 * np.sqrt(3)])
VALUES = (7.0 * np.arange(30) ** 2) % 11


def _esda(xy_um, values, *, radius_um):
    moran = pytest.importorskip("esda.moran")
    w = pytest.importorskip("libpysal.weights")
    away = np.linalg.norm(xy_um[:, None] - xy_um[None], axis=2)
    near = {i: np.flatnonzero((row <= radius_um) & (row > 0)).tolist() for i, row in enumerate(away)}
    weights = w.W(near, silence_warnings=True)
    weights.transform = "r"
    return moran.Moran(values, weights, permutations=0).I


def test_by_hand_on_a_3_by_3_grid():
    # 1…9 in reading order: z = -4…4; the neighbours' means are -2, -2, -1, -2/3, 0 and the same with the other sign,
    # so Σ z·mean = 2 (8 + 6 + 2 + 2/3) = 100/3 and Σ z² = 60
    rising = np.arange(1.0, 10)
    # a chessboard: every neighbour is of the other colour
    board = np.arange(9.0) % 2
    found = morans_i(np.column_stack([rising, board, np.full(9, 0.1)]), neighbour_weights(GRID))
    np.testing.assert_allclose(found, [5 / 9, -1, np.nan], rtol=1e-12)


def test_it_is_what_esda_2_9_gives():
    found = morans_i(np.column_stack([VALUES, HEX[:, 0], ROW % 2.0]), neighbour_weights(HEX))
    np.testing.assert_allclose(found, [-0.2827430448619238, 0.807003367003367, -0.28], rtol=1e-12)
    lonely = np.vstack([[[x * 200.0, y * 200.0] for y in range(4) for x in range(4)], [[5000.0, 5000.0]]])
    values = (7.0 * np.arange(17) ** 2) % 11
    np.testing.assert_allclose(morans_i(values[:, None], neighbour_weights(lonely)), 0.13919615033311847, rtol=1e-12)


def test_it_is_esdas_where_that_is_installed():
    values = np.random.default_rng(0).normal(size=30)
    expected = _esda(HEX, values, radius_um=125)
    np.testing.assert_allclose(morans_i(values[:, None], neighbour_weights(HEX)), expected, rtol=1e-10)


@pytest.mark.parametrize(("xy_um", "inside", "n_neighbours"), [(GRID, 4, 4), (HEX, 12, 6)])
def test_direct_neighbours_weigh_the_same(xy_um, inside, n_neighbours):
    weights = neighbour_weights(xy_um).toarray()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert np.count_nonzero(weights[inside]) == n_neighbours
    assert weights[inside].max() == pytest.approx(1 / n_neighbours)
    assert not weights.diagonal().any()


def test_places_that_are_a_little_off_have_the_same_neighbours():
    moved = HEX + np.random.default_rng(0).normal(0, 3, HEX.shape)
    np.testing.assert_array_equal(neighbour_weights(moved).toarray() > 0, neighbour_weights(HEX).toarray() > 0)


@pytest.mark.parametrize("n_spots", [1, 2])
def test_too_few_spots_have_no_pattern(n_spots):
    weights = neighbour_weights(GRID[:n_spots])
    assert weights.nnz == 0
    assert np.isnan(morans_i(np.arange(n_spots, dtype=float)[:, None], weights)).all()


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, (30, 2), elements=st.integers(-50, 50)), st.permutations(range(30)))
def test_order_scale_and_shift_do_not_matter(values, order):
    straight = morans_i(values, neighbour_weights(HEX))
    np.testing.assert_allclose(morans_i(values[order], neighbour_weights(HEX[order])), straight, atol=1e-9)
    np.testing.assert_allclose(morans_i(values * -3 + 7, neighbour_weights(HEX)), straight, atol=1e-9)
