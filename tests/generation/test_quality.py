"""Crowds of tiles: distances worked by hand, copies found out."""

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.generation.quality import (
    components,
    density_and_coverage,
    frechet_distance,
    share_by_heart,
    similarity,
)


def test_distances_of_crowds_worked_by_hand():
    crowd = np.random.default_rng(0).normal(size=(200, 3))
    assert frechet_distance(crowd, crowd) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(crowd, crowd + np.array([1, 0, 0])) == pytest.approx(1)
    line = np.array([[-1.0], [1.0], [0.0]])  # variance 1
    assert frechet_distance(line, 2 * line) == pytest.approx(1), "(1 - 2)²"
    with pytest.raises(InputError, match="two or more rows on both sides"):
        frechet_distance(crowd, crowd[:1])


def test_ten_tiles_learnt_by_heart_are_dense_and_cover_little():
    rng = np.random.default_rng(0)
    real, fresh = rng.normal(size=(150, 4)), rng.normal(size=(150, 4))
    copies = real[np.arange(150) % 10]
    assert density_and_coverage(real, fresh)[1] > 0.8
    density, coverage = density_and_coverage(real, copies)
    assert density > 0.8
    assert coverage < 0.5
    held_out = rng.normal(size=(200, 4))
    assert share_by_heart(real, held_out, copies) == 1
    assert share_by_heart(real, held_out, fresh) < 0.15


def test_similarity_is_of_z_scores():
    rng = np.random.default_rng(0)
    features = 100 + rng.normal(size=(50, 6))
    assert np.allclose(similarity(features, features, like=features), 1)
    other = similarity(features, np.roll(features, 1, axis=0), like=features)
    assert abs(other.mean()) < 0.2, "as they come the cosine would be near 1"
    whole, part = components(features, features, features[:3], n=64)
    assert whole.shape == (50, 6)
    assert np.allclose(part, whole[:3])
