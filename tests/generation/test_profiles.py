"""From expression to features: planted programmes are found again, and noise is refused."""

from dataclasses import replace

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.generation.profiles import Profiles

GENES = tuple(f"G{i}" for i in range(12))


@pytest.fixture
def planted():
    """120 spots of three patients: six genes and three features follow one programme, the others are noise."""
    rng = np.random.default_rng(0)
    programme = rng.normal(size=120)
    expression = rng.normal(size=(120, 12))
    expression[:, :6] += 2 * programme[:, None]
    features = rng.normal(size=(120, 5))
    features[:, :3] += 3 * programme[:, None]
    section = np.repeat([0, 1, 2], 40)
    profiles = Profiles(GENES, expression, features, section, np.tile(np.arange(40), 3), (), ("a", "b", "c"))
    return profiles, programme


def test_spots_at_a_quantile_are_those_of_the_programme(planted):
    profiles, programme = planted
    low, middle, high = (programme[profiles.at("G0", q)].mean() for q in (0.05, 0.5, 0.95))
    assert low < -1
    assert abs(middle) < 0.5
    assert high > 1
    assert len(set(profiles.at("G0", 1.0, n=7))) == 7
    assert set(profiles.at("G0", 1.0, n=5)) <= set(np.argsort(programme)[-25:])


def test_spots_like_a_profile_have_it(planted):
    profiles, _ = planted
    assert profiles.like(profiles.expression[17], n=3)[0] == 17
    with pytest.raises(InputError, match="a profile of 12 finite numbers expected"):
        profiles.like(np.zeros(3))


def test_expression_that_tells_nothing_paints_nothing(planted):
    profiles, _ = planted
    assert profiles.require_told() > 0.3
    noise = np.random.default_rng(1).normal(size=profiles.features.shape)
    with pytest.raises(InputError, match=r"expected, found R² = -?0\.\d+ on what was left out: a picture would be"):
        replace(profiles, features=noise).require_told()
    with pytest.raises(InputError, match="found one section alone"):
        replace(profiles, owner=("a", "a", "a")).require_told()


def test_what_is_told_is_told_of_the_left_out(planted):
    """Features of one patient replaced by noise: the others' spots, which are asked, know nothing of it."""
    profiles, _ = planted
    features = profiles.features.copy()
    features[profiles.section == 2] = np.random.default_rng(1).normal(size=(40, 5))
    assert replace(profiles, features=features).told() < profiles.told()


def test_a_gene_that_is_not_there_is_said(planted):
    profiles, _ = planted
    with pytest.raises(InputError, match="one of 12 genes expected, found 'G99'"):
        profiles.at("G99", 0.5)
    with pytest.raises(InputError, match="a quantile from 0 to 1 expected"):
        profiles.at("G1", 1.5)
    flat = profiles.expression.copy()
    flat[:, 3] = 1
    with pytest.raises(InputError, match="a gene that varies"):
        replace(profiles, expression=flat).at("G3", 0.5)
