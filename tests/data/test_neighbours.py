"""Neighbours and context on a 3 × 3 square array of 200 µm pitch.

0 1 2
3 4 5      spot 4 is the centre
6 7 8
"""

import numpy as np

from mclstexp.data.neighbours import find_neighbours, mean_of_neighbours

GRID = np.array([[x * 200.0, y * 200.0] for y in range(3) for x in range(3)])


def test_the_four_nearest_of_the_centre_and_itself_first():
    near = find_neighbours(GRID, n_neighbours=6, radius_um=250)
    assert near.index[4, 0] == 4
    assert set(near.index[4, 1:5]) == {1, 3, 5, 7}
    assert near.present[4].tolist() == [True] * 5 + [False] * 2
    assert near.present[0].sum() == 3  # a corner has two


def test_offsets_point_from_the_spot_to_its_neighbour_in_um():
    near = find_neighbours(GRID, n_neighbours=4, radius_um=250)
    for spot in range(9):
        for index, offset, present in zip(near.index[spot], near.offset_um[spot], near.present[spot], strict=True):
            expected = GRID[index] - GRID[spot] if present else (0, 0)
            np.testing.assert_allclose(offset, expected)


def test_the_order_of_rows_changes_nothing():
    order = np.random.default_rng(0).permutation(9)
    straight = find_neighbours(GRID, n_neighbours=2, radius_um=300)
    shuffled = find_neighbours(GRID[order], n_neighbours=2, radius_um=300)
    np.testing.assert_array_equal(straight.index[order], order[shuffled.index])
    np.testing.assert_array_equal(straight.offset_um[order], shuffled.offset_um)


def test_without_a_limit_everybody_has_as_many_as_asked_and_all_ties_are_weighed():
    far = np.vstack([GRID, [[5000.0, 0.0]]])
    near = find_neighbours(far, n_neighbours=4, radius_um=np.inf)
    assert near.present.all()
    assert near.index[9, 1:].tolist() == [2, 5, 8, 1]
    limited = find_neighbours(far, n_neighbours=4, radius_um=1e4)
    np.testing.assert_array_equal(near.index, limited.index)
    assert find_neighbours(GRID[:1], n_neighbours=4, radius_um=np.inf).present.sum() == 1


def test_the_mean_leaves_the_tile_itself_out():
    features = np.arange(9, dtype=np.float32)[:, None]
    mean = mean_of_neighbours(features, GRID, radius_um=250)
    assert mean[4, 0] == (1 + 3 + 5 + 7) / 4
    assert mean[0, 0] == (1 + 3) / 2


def test_a_lonely_tile_keeps_its_own_features():
    features = np.array([[3.0], [5.0]], np.float32)
    mean = mean_of_neighbours(features, np.array([[0.0, 0.0], [1000.0, 0.0]]), radius_um=300)
    np.testing.assert_array_equal(mean, features)
