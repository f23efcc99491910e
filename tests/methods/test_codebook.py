"""A codebook predicts means of kinds: from the training mean to the nearest measured spot, patients alike."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from mclstexp.core.errors import InputError
from mclstexp.methods import create
from mclstexp.methods.codebook import patient_weights
from mclstexp.training.residual_kmeans import Directions, fit_quantiser, levels_of, quantise
from small_methods import ENCODER, small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


def test_a_huge_shrinkage_leaves_the_mean(sections):
    model = create("codebook", encoder=ENCODER, sizes=(3, 4), shrinkage=1e12).fit(sections[:2])
    mean = create("mean").fit(sections[:2]).predict(sections[2].tiles).X
    np.testing.assert_allclose(model.predict(sections[2].tiles).X, mean, rtol=1e-4)


def test_a_code_for_each_spot_and_no_shrinkage_returns_what_was_measured(sections):
    model = create("codebook", encoder=ENCODER, sizes=(1000,), shrinkage=0.0).fit(sections[:1])
    np.testing.assert_allclose(
        model.predict(sections[0].tiles).X, model.space_(sections[0].counts), rtol=1e-4, atol=1e-5
    )


def test_means_shrink_towards_those_of_the_coarser_code():
    model = create("codebook", sizes=(2, 2), shrinkage=2.0)
    model.mean_ = np.array([1.0])
    codes = np.array([[0, 0], [0, 0], [0, 1], [1, 1]])
    paths, means = model._means(codes, np.array([[2.0], [4.0], [6.0], [0.0]]), np.ones(4))
    assert [path.tolist() for path in paths] == [[0, 1], [0, 1, 3]]
    coarse = [(12 + 2 * 1) / 5, (0 + 2 * 1) / 3]
    np.testing.assert_allclose(means[0][:, 0], coarse, rtol=1e-6)
    fine = [(6 + 2 * coarse[0]) / 4, (6 + 2 * coarse[0]) / 3, (0 + 2 * coarse[1]) / 3]
    np.testing.assert_allclose(means[1][:, 0], fine, rtol=1e-6)


def test_a_path_that_training_never_took_is_answered_by_the_last_code_it_took(sections):
    model = create("codebook", encoder=ENCODER, sizes=(2, 3), shrinkage=1.0).fit(sections[:2])
    codes, _ = model.codes(sections[2].tiles)
    coarse = dict(zip(model.paths_[0], model.means_[0], strict=True))
    model.paths_[1], model.means_[1] = np.array([1e9]), model.means_[1][:1]
    predicted = model.predict(sections[2].tiles).X
    np.testing.assert_array_equal(predicted, np.array([coarse[code] for code in codes[:, 0]]))


def test_patients_count_alike_however_many_spots_they_have(sections):
    one, other = sections[0], sections[1].take(np.arange(5))
    weights = patient_weights([one, other])
    assert weights.mean() == pytest.approx(1)
    assert weights[: len(one)].sum() == pytest.approx(weights[len(one) :].sum())
    serial = [replace(one, patient="P"), replace(other, patient="P")]
    np.testing.assert_allclose(patient_weights(serial), 1)


def test_one_level_is_k_means():
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(40, 3)) + 4 * at for at in range(4)]).astype(np.float32)
    codes, distance = quantise(fit_quantiser(rows, (4,)), rows)
    plain = KMeans(4, n_init=10, random_state=0).fit(rows)
    assert adjusted_rand_score(plain.labels_, codes[:, 0]) == 1
    assert float((distance**2).sum()) == pytest.approx(plain.inertia_, rel=1e-4)


def test_further_levels_leave_less_and_codes_are_in_order_of_size():
    rows = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    left = []
    for sizes in ((4,), (4, 8), (4, 8, 16)):
        codes, distance = quantise(fit_quantiser(rows, sizes), rows)
        left.append(float((distance**2).mean()))
        assert (np.diff(np.bincount(codes[:, 0])) <= 0).all()
    assert left[0] > left[1] > left[2] > 0


def test_fewer_different_rows_than_codes_are_a_code_each():
    rows = np.repeat(np.eye(3, dtype=np.float32), 5, axis=0)
    quantiser = fit_quantiser(rows, (8, 2))
    assert len(levels_of(quantiser)[0]) == 3
    assert quantise(quantiser, rows)[1].max() < 1e-6


def test_directions_are_those_of_scaled_rows():
    rows = np.random.default_rng(0).normal(size=(50, 6)) * [1, 100, 1, 1, 1, 0]
    scaled = Directions.principal(rows, 6, standardise=True).apply(rows)
    assert np.isfinite(scaled).all()
    assert scaled.mean(axis=0) == pytest.approx(np.zeros(6), abs=1e-5)
    assert float((scaled**2).sum() / len(rows)) == pytest.approx(5, rel=1e-5), "a column that never varies adds nothing"


def test_distances_say_what_is_unlike_training(sections):
    model = create("codebook", encoder=ENCODER, sizes=(3, 4)).fit(sections[:2])
    tiles = sections[0].tiles
    codes, distance = model.codes(tiles)
    assert codes.shape == (len(tiles), 2)
    far = replace(tiles, slide=type(tiles.slide)(255 - tiles.slide._array, mpp=tiles.slide.mpp, id="inverted"))
    assert model.codes(far)[1].mean() > distance.mean()


@pytest.mark.parametrize(
    ("option", "value"),
    [("sizes", ()), ("sizes", (4, 0)), ("sizes", (10**9, 10**9)), ("n_components", 0), ("shrinkage", -1.0)],
)
def test_impossible_options_are_refused(option, value):
    with pytest.raises(InputError, match=f"{option} must be .*, found"):
        create("codebook", **{option: value})
