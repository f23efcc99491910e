"""Neighbours, votes, and the number of domains, on cases that can be checked by hand."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from mclstexp.core.domain_number import stable_number
from mclstexp.domains.groups import k_means, mixture, principal, scaled
from mclstexp.domains.near import nearest_rows, neighbours, on_array
from mclstexp.domains.refine import vote


def grid(side, *, hexagonal=False):
    y, x = (axis.ravel().astype(float) for axis in np.mgrid[:side, :side])
    return np.column_stack([x + 0.5 * (y % 2), y * np.sqrt(0.75)]) if hexagonal else np.column_stack([x, y])


@pytest.mark.parametrize(("hexagonal", "inner"), [(False, 4), (True, 6)])
def test_direct_neighbours_on_an_array_whatever_their_order(hexagonal, inner):
    places = 100 * grid(7, hexagonal=hexagonal)
    assert on_array(places)
    near = neighbours(places)
    assert np.diff(near.indptr).max() == inner
    assert (near != near.T).nnz == 0
    order = np.random.default_rng(0).permutation(len(places))
    assert (neighbours(places[order]) != near[order][:, order]).nnz == 0


def test_scattered_cells_have_thirty():
    places = np.random.default_rng(0).uniform(0, 1000, (300, 2))
    assert not on_array(places)
    assert (np.diff(neighbours(places).indptr) == 30).all()
    assert (np.diff(neighbours(places, 5).indptr) == 5).all()


def test_of_those_as_near_the_first_rows_count_and_a_twin_is_no_self():
    places = np.array([[0.0, 0], [1, 0], [-1, 0], [0, 1], [0, 0]])
    assert nearest_rows(places, 2).tolist() == [[4, 1], [0, 4], [0, 4], [0, 4], [0, 1]]
    wide = np.column_stack([places, np.zeros((5, 6))])
    assert nearest_rows(wide, 2).tolist() == nearest_rows(places, 2).tolist()


def test_a_vote_counts_others_and_the_nearest_settles_ties():
    places = np.array([[0.0], [1.0], [2.1], [3.3], [10.0]])
    groups = np.array([0, 1, 1, 0, 7])
    # of 1's two others (0 at 1.0, 2 at 1.1) the nearest is of group 0; of 3's (2 at 1.2, 1 at 2.3) both are of 1
    assert vote(groups, places, 2).tolist() == [1, 0, 1, 1, 0]
    assert vote(groups, places, 1).tolist() == [1, 0, 1, 1, 0]


@pytest.mark.data
def test_the_vote_is_the_released_one(parity_dir):
    given = load_file(parity_dir / "stmmc_small" / "inputs.safetensors")
    expected = load_file(parity_dir / "stmmc_small" / "graphs_and_extras.safetensors")["domain_refined_10"]
    places, before = given["positions"].astype(float), given["domain_before"]
    found = vote(before, places, 10)
    apart = np.sort(((places[:, None] - places) ** 2).sum(axis=-1), axis=1)
    settled = apart[:, 10] < apart[:, 11]  # elsewhere the release's order of those as near is not known
    votes = [np.sort(np.bincount(before[rows], minlength=9)) for rows in nearest_rows(places, 10)]
    settled &= [most > next_most for *_, next_most, most in votes]
    np.testing.assert_array_equal(found[settled], expected[settled])
    assert settled.sum() > 10


def test_the_most_stable_number_is_taken():
    rng = np.random.default_rng(0)
    centres = 8 * rng.normal(size=(4, 5))
    points = np.concatenate([centre + rng.normal(size=(60, 5)) for centre in centres])
    number, stability = stable_number(points, lambda rows, n: k_means(points[rows], n, seed=0), seed=0, most=6)
    assert number == 4
    assert stability[4] == 1
    assert list(stability) == [2, 3, 4, 5, 6]
    assert stable_number(points[:25], lambda rows, n: rows % n, seed=0)[0] == 2


def test_one_covariance_for_all_tells_bands_from_blobs():
    rng = np.random.default_rng(0)
    long = rng.normal(size=(300, 2)) * [1, 4]
    long[150:, 0] += 6
    truth = np.arange(300) >= 150
    found = mixture(long, 2, seed=0)
    assert max((found == truth).mean(), (found != truth).mean()) > 0.98
    split = k_means(long, 2, seed=0)
    assert max((split == truth).mean(), (split != truth).mean()) < 0.6


def test_components_and_scale():
    values = np.random.default_rng(0).normal(size=(8, 3))
    values[:, 1] = 5
    assert principal(values, 9, seed=0).shape == (8, 3)
    assert scaled(values)[:, 1].tolist() == [0] * 8
    assert np.allclose(scaled(values)[:, [0, 2]].std(axis=0), 1)
