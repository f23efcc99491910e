"""kNN returns measured spots: the very one for k=1, the mean of all for a large k."""

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.methods import create
from mclstexp.sight.embed import embed_tiles
from small_methods import ENCODER, small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


def test_a_training_tile_finds_itself(sections):
    model = create("knn", encoder=ENCODER, k=1).fit(sections[:2])
    for section in sections[:2]:
        np.testing.assert_array_equal(model.predict(section.tiles).X, model.space_(section.counts))


def test_more_neighbours_than_spots_are_all_of_them(sections):
    model = create("knn", encoder=ENCODER, k=10_000).fit(sections[:2])
    mean = create("mean").fit(sections[:2]).predict(sections[2].tiles).X
    np.testing.assert_allclose(model.predict(sections[2].tiles).X, mean, rtol=1e-5)


def test_neighbours_are_the_largest_cosines_of_standardised_features(sections):
    model = create("knn", encoder=ENCODER, k=4).fit(sections[:2])
    known = np.concatenate([embed_tiles(section.tiles, ENCODER) for section in sections[:2]]).astype(np.float64)
    spots = np.concatenate([model.space_(section.counts) for section in sections[:2]])
    unit, query = (
        x / np.linalg.norm(x, axis=1, keepdims=True)
        for x in (
            (y - known.mean(axis=0)) / known.std(axis=0) for y in (known, embed_tiles(sections[2].tiles, ENCODER))
        )
    )
    nearest = np.argsort(-query @ unit.T, axis=1)[:, :4]
    np.testing.assert_allclose(model.predict(sections[2].tiles).X, spots[nearest].mean(axis=1), rtol=1e-5)


def test_nobody_to_ask_is_refused():
    with pytest.raises(InputError, match="k must be at least 1, found 0"):
        create("knn", k=0)
