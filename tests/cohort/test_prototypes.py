"""Prototypes and slides as mixtures of them: by hand, as published, in any order and any pieces."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from mclstexp.cohort.mixture import Prior
from mclstexp.cohort.prototypes import Prototypes
from mclstexp.core.cohort import ArrayBag, Patients
from mclstexp.core.errors import InputError

CENTRES = np.array([[0.0, 0], [8, 0], [0, 8]])


def bags(n=6, n_tiles=60, seed=0):
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, (n, n_tiles), p=[0.5, 0.3, 0.2])
    return [ArrayBag(CENTRES[row] + rng.normal(size=(n_tiles, 2))) for row in kind], kind


def made(**how):
    tiles, kind = bags(**how)
    return Patients(ids=tuple(f"p{number}" for number in range(len(tiles))), bags=tuple(tiles)), kind


def fitted(patients, n=3, **how):
    return Prototypes.fit(patients, n, **{"standardise": True, "max_tiles": 1000, "seed": 0} | how)


@pytest.mark.parametrize(
    ("tau", "epsilon", "q", "shares", "means", "variances"),
    [
        (
            1,
            1,
            [[0.982014, 0.017986], [0.119203, 0.880797]],
            [0.525304, 0.474696],
            [[0.113461, 0.056730], [1.981055, 1.517181]],
            [[0.689963, 0.529427], [0.564184, 0.795303]],
        ),
        (
            0.001,
            0.1,
            [[1, 0], [0, 1]],
            [0.5, 0.5],
            [[0, 0], [2, 1.000999]],
            [[9.99e-5, 9.99e-5], [9.99e-5, 1.098e-3]],
        ),
    ],
)
def test_two_tiles_and_two_prototypes_by_hand(tau, epsilon, q, shares, means, variances):
    prior = Prior(np.array([[0.0, 0], [2, 2]]), np.full(2, float(epsilon)), tau)
    tiles = np.array([[0.0, 0], [2, 1]])
    np.testing.assert_allclose(prior.start().responsibilities(tiles), q, atol=1e-6)
    found = prior.mixture(lambda: [tiles])
    np.testing.assert_allclose(found.shares, shares, atol=1e-6)
    np.testing.assert_allclose(found.means, means, atol=2e-6)
    np.testing.assert_allclose(found.variances, variances, rtol=1e-3)
    np.testing.assert_allclose(prior.shares([tiles]), found.shares, rtol=1e-12)


def test_pieces_and_order_move_nothing_and_tiles_twice_only_weaken_the_prior():
    tiles = np.concatenate([np.concatenate(list(bag.chunks())) for bag in bags()[0]]).astype(float)
    tau = 0.5
    prior = Prior(CENTRES, np.ones(2), tau)
    for rounds in (1, 3):
        whole = prior.mixture(lambda: [tiles], rounds=rounds).flat()
        pieces = prior.mixture(lambda: np.array_split(tiles[::-1], 7), rounds=rounds).flat()
        np.testing.assert_allclose(pieces, whole, rtol=1e-9)
        twice = Prior(CENTRES, np.ones(2), 2 * tau).mixture(lambda: [tiles, tiles], rounds=rounds).flat()
        np.testing.assert_allclose(twice, whole, rtol=1e-9)


def test_a_component_without_tiles_stays_as_it_was_expected():
    found = Prior(CENTRES, np.full(2, 0.5), 1e-3).mixture(lambda: [np.zeros((40, 2))], rounds=2)
    np.testing.assert_allclose(found.means, CENTRES, atol=1e-12)
    np.testing.assert_allclose(found.variances[1:], 0.5)
    assert found.shares[1] == pytest.approx(1e-3 / 40.003)


def test_a_far_offset_loses_no_digits():
    tiles = np.random.default_rng(0).normal(size=(50, 2))
    near = Prior(CENTRES[:2], np.ones(2), 1.0).mixture(lambda: [tiles])
    far = Prior(CENTRES[:2] + 1e5, np.ones(2), 1.0).mixture(lambda: [tiles + 1e5])
    np.testing.assert_allclose(far.variances, near.variances, rtol=1e-6)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "tau", "epsilon", "rounds"), [("as_run", 0.001, 0.1, 1), ("as_script", 1, 1, 1), ("three_rounds", 1, 1, 3)]
)
def test_the_published_encoder_is_met(parity_dir, name, tau, epsilon, rounds):
    path = parity_dir / "mmp_small" / "em.safetensors"
    if not path.is_file():
        pytest.skip(f"no {path}")
    ref = load_file(path)
    prior = Prior(ref["prototypes"].astype(float), np.full(8, float(epsilon)), tau)
    for i in range(3):
        tiles = ref[f"patches_{i}"].astype(float)
        found = prior.mixture(lambda tiles=tiles: [tiles], rounds=rounds)
        np.testing.assert_allclose(found.flat(), ref[f"{name}.slide_{i}"], rtol=1e-4, atol=1e-6)
        last = prior.mixture(lambda tiles=tiles: [tiles], rounds=rounds - 1)
        np.testing.assert_allclose(last.responsibilities(tiles), ref[f"{name}.responsibilities_{i}"], atol=1e-5)


def test_planted_kinds_are_found_the_most_frequent_first_whatever_the_order_of_patients():
    patients, kind = made()
    found = fitted(patients)
    np.testing.assert_allclose(found.centres * found.scale + found.offset, CENTRES, atol=0.5)
    np.testing.assert_allclose(found.frequency, np.bincount(kind.ravel()) / kind.size)
    np.testing.assert_allclose(found.within * found.scale**2, 1, atol=0.2)
    turned = fitted(patients.subset(patients.ids[::-1]))
    np.testing.assert_array_equal(turned.centres, found.centres)
    for bag, row in zip(patients.bags, kind, strict=True):
        prior = found.prior(1.0, "within")
        shares = found.shares(bag, prior)
        np.testing.assert_allclose(prior.shares(found.chunks(bag)), shares, rtol=1e-6)
        np.testing.assert_allclose(shares, (np.bincount(row, minlength=3) + 1) / 63, atol=0.01)


def test_tiles_that_show_a_prototype_are_of_different_patients():
    patients, kind = made(n=20)
    shown = fitted(patients).shown
    assert list(shown.columns) == ["prototype", "patient", "tile"]
    for prototype, rows in shown.groupby("prototype"):
        assert len(rows) == rows["patient"].nunique() == 16
        assert {kind[int(name[1:]), tile] for name, tile in zip(rows["patient"], rows["tile"], strict=True)} == {
            prototype
        }


def test_patients_with_many_tiles_teach_no_more_than_others():
    few, many = ArrayBag(np.zeros((100, 2))), ArrayBag(np.random.default_rng(0).normal(5, 1, (5000, 2)))
    patients = Patients(ids=("a", "b"), bags=(few, many))
    found = fitted(patients, n=2, max_tiles=200)
    np.testing.assert_allclose(found.frequency, [0.5, 0.5])


def test_too_many_prototypes_are_refused_and_rare_ones_said():
    patients, _ = made()
    with pytest.raises(InputError, match="at least 50 tiles each expected, found 8 for 360 tiles"):
        fitted(patients, n=8)
    odd = np.vstack([np.random.default_rng(0).normal(size=(1500, 2)), [[1e3, 1e3]]])
    with pytest.warns(UserWarning, match="1 of 2 prototypes have less than 0.1% of the tiles"):
        fitted(Patients(ids=("a",), bags=(ArrayBag(odd),)), n=2, max_tiles=2000)


def test_features_that_are_no_numbers_are_refused_in_training_and_after():
    patients, _ = made()
    found = fitted(patients)
    spoilt = ArrayBag(np.zeros((5, 2)))
    spoilt._features = np.full((5, 2), np.nan, np.float32)  # as a bag of another package might give
    with pytest.raises(InputError, match="finite features of tiles expected, found others"):
        found.shares(spoilt, found.prior(1.0, "within"))
    with pytest.raises(InputError, match="finite features of tiles expected, found others"):
        fitted(Patients(ids=("a", "b"), bags=(spoilt, patients.bags[0])), n=2, max_tiles=200)
