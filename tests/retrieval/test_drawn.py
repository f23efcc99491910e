"""Draws: by weight, alike where asked again in parts, smooth in space, and as different from each other as tissue."""

import numpy as np
import pytest
from scipy import stats

from made_pairs import square
from mclstexp import api
from mclstexp.core.drawing import drawn_spots, retrieved_quantiles, smooth_noise
from mclstexp.core.errors import InputError
from mclstexp.core.retrieval import Retrieval
from mclstexp.data.autocorrelation import morans_i, neighbour_weights
from mclstexp.evaluation.metrics import dispersion
from mclstexp.retrieval.drawn import Drawn
from small_methods import small_methods, small_sections

METHODS = {method.label: method for method in small_methods()}
PLACES = square(26) * 100.0


def _retrieval(n_tiles, shares, expression=None, weight=1.0):
    k = len(shares)
    rows = np.tile(np.arange(k), (n_tiles, 1))
    values = np.arange(k, dtype=np.float32)[:, None] if expression is None else expression
    return Retrieval(np.ones((n_tiles, 2)), np.ones((k, 2)), rows, np.tile(shares, (n_tiles, 1)), weight, values)


def test_spots_are_drawn_by_weight():
    shares = np.array([0.5, 0.3, 0.15, 0.05, 0.0])
    found = drawn_spots([_retrieval(len(PLACES), shares)], xy_um=PLACES, seed=0, length_um=30)
    np.testing.assert_allclose(np.bincount(found, minlength=5) / len(PLACES), shares, atol=0.06)
    two = [_retrieval(len(PLACES), shares, weight=0.4), _retrieval(len(PLACES), shares[::-1].copy(), weight=0.6)]
    found = drawn_spots(two, xy_um=PLACES, seed=1, length_um=30)
    np.testing.assert_allclose(np.bincount(found) / len(PLACES), 0.4 * shares + 0.6 * shares[::-1], atol=0.06)


def test_a_place_gets_the_same_whatever_is_asked_with_it_and_another_seed_another():
    retrieval = _retrieval(len(PLACES), np.full(20, 0.05))
    whole = drawn_spots([retrieval], xy_um=PLACES, seed=3, length_um=200)
    part = drawn_spots([_retrieval(50, np.full(20, 0.05))], xy_um=PLACES[300:350], seed=3, length_um=200)
    np.testing.assert_array_equal(whole[300:350], part)
    assert (whole != drawn_spots([retrieval], xy_um=PLACES, seed=4, length_um=200)).mean() > 0.8


def test_nearby_tiles_draw_alike_the_more_the_longer():
    weights, found = neighbour_weights(PLACES), []
    for length in (10, 200, 800):
        rows = drawn_spots([_retrieval(len(PLACES), np.full(8, 1 / 8))], xy_um=PLACES, seed=2, length_um=length)
        found.append(morans_i(rows[:, None].astype(float), weights)[0])
    assert abs(found[0]) < 0.08
    assert 0.15 < found[1] < found[2]


def test_noise_is_standard_normal_smooth_and_of_one_field_each():
    at = np.random.default_rng(0).uniform(-5000, 5000, (400, 2))
    noise = np.array([smooth_noise(np.arange(30), xy, seed=5, length_um=300) for xy in at])
    assert stats.kstest(noise.ravel(), "norm").statistic < 0.02
    assert abs(np.corrcoef(noise.T)[np.triu_indices(30, 1)]).mean() < 0.06
    near = np.array([smooth_noise(np.arange(30), xy + 15, seed=5, length_um=300) for xy in at])
    assert np.corrcoef(noise.ravel(), near.ravel())[0, 1] > 0.95


def test_quantiles_are_of_weights_about_the_mean():
    retrieval = _retrieval(2, np.array([0.1, 0.2, 0.4, 0.2, 0.1]), np.array([[4.0], [3], [2], [1], [0]], np.float32))
    low, middle, high = retrieved_quantiles([retrieval], (0.1, 0.5, 0.95))
    assert (low[0, 0], middle[0, 0], high[1, 0]) == pytest.approx((-2, 0, 2), abs=1e-6)
    with pytest.raises(InputError, match="keeps none"):
        retrieved_quantiles((), (0.5,))


@pytest.fixture(scope="module")
def fitted():
    train = small_sections(3, n_spots_side=8)
    return METHODS["knn"].create(k=15).fit(train[:2]), train[2]


def test_a_drawn_map_is_of_measured_spots_and_varies_as_tissue_does(fitted):
    model, section = fitted
    drawn = api.predict(model, section.tiles, sample=True, seed=1)
    truth, mean = model.space_(section.counts), model.predict(section.tiles).X
    measured = {tuple(row) for row in model.bank_.expression}
    assert all(tuple(row) in measured for row in drawn.X)
    assert np.median(dispersion(truth, mean)) < 0.7
    assert np.median(dispersion(truth, drawn.X)) == pytest.approx(1, abs=0.25)
    assert drawn.uns["mclstexp"]["sample"] == {"seed": 1, "length_um": 200.0}
    np.testing.assert_array_equal(drawn.X, api.predict(model, section.tiles, sample=True, seed=1).X)
    np.testing.assert_array_equal(drawn.X[5:9], Drawn.of(model, seed=1).predict(section.tiles.take(range(5, 9))).X)


@pytest.mark.slow
def test_the_mean_of_draws_is_the_prediction(fitted):
    model, section = fitted
    tiles = section.tiles.take(range(0, 56, 8))
    given = {"xy_um": tiles.xy_um, "length_um": 200.0}
    rows = [drawn_spots(model.retrieve(tiles), seed=seed, **given) for seed in range(150)]
    drawn, spread = (of(model.bank_.expression[np.array(rows)], axis=0) for of in (np.mean, np.std))
    off = (drawn - model.predict(tiles).X) / np.maximum(spread / np.sqrt(len(rows)), 1e-3)
    assert abs(off.mean()) < 0.3
    assert 0.7 < off.std() < 1.3


def test_who_keeps_no_spots_cannot_draw(fitted):
    _, section = fitted
    ridge = METHODS["ridge"].create().fit([section])
    with pytest.raises(InputError, match="ridge, which keeps none"):
        Drawn.of(ridge)
    with pytest.raises(InputError, match="before fit"):
        Drawn.of(METHODS["knn"].create())
    with pytest.raises(InputError, match="a positive length"):
        Drawn.of(fitted[0], length_um=0)
