"""Turned tiles are the same tissue in eight ways, each told from the others by the cache."""

import numpy as np
import pytest
import torch

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.slides import ArraySlide
from mclstexp.nn.image_encoders import create_encoder
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.symmetries import TurnedSlide, embed_symmetries, turned
from mclstexp.training.augment import symmetries

ENCODER = "random:test_efficientnet"


@pytest.fixture
def tiles():
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    return Tiles.grid(ArraySlide(pixels, mpp=0.5, id="slide"), spec=TileSpec(32, 0.5))


def test_a_corner_goes_where_its_number_says():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0] = 255  # upper left
    slide = ArraySlide(pixels, mpp=1.0, id="corner")
    seen = [TurnedSlide(slide, number=n).read([1.0, 1.0], TileSpec(2, 1.0))[..., 0].argmax() for n in range(8)]
    # pixels 0 1 / 2 3: counter-clockwise from the upper left down and round, then the same mirrored
    assert seen == [0, 2, 3, 1, 1, 3, 2, 0]


def test_the_eight_ways_are_those_training_draws_from(tiles):
    ways = [turned(tiles, number=n).read(0) for n in range(8)]
    assert len({way.tobytes() for way in ways}) == 8
    torch.manual_seed(0)
    drawn = symmetries(torch.from_numpy(tiles.read(0).copy()).permute(2, 0, 1).repeat(200, 1, 1, 1))
    found = {image.permute(1, 2, 0).contiguous().numpy().tobytes() for image in drawn}
    assert found == {way.tobytes() for way in ways}


def test_places_stay_and_only_the_pixels_turn(tiles):
    other = turned(tiles, number=6)
    np.testing.assert_array_equal(other.xy, tiles.xy)
    assert (other.slide.id, other.slide.mpp, other.slide.size_px) == ("slide", 0.5, (128, 96))
    np.testing.assert_array_equal(other.slide.thumbnail(32), tiles.slide.thumbnail(32))
    assert turned(tiles, number=0) is tiles
    assert len({turned(tiles, number=n).slide.fingerprint() for n in range(8)}) == 8


def test_each_way_is_embedded_and_kept_as_its_own(tiles):
    cold, warm = (embed_symmetries(tiles, ENCODER) for _ in range(2))
    assert cold.shape == (len(tiles), 8, create_encoder(ENCODER).dim)
    np.testing.assert_array_equal(warm, cold)
    np.testing.assert_array_equal(cold[:, 0], embed_tiles(tiles, ENCODER))
    np.testing.assert_array_equal(cold[:, 5], embed_tiles(turned(tiles, number=5), ENCODER))
    assert np.ptp(cold, axis=1).max() > 0


def test_an_encoder_of_the_callers_serves_too(tiles):
    encoder = create_encoder(ENCODER)
    np.testing.assert_array_equal(embed_symmetries(tiles, encoder)[:, 0], embed_tiles(tiles, encoder))


def test_there_is_no_ninth_way(tiles):
    with pytest.raises(InputError, match="from 0 to 7 expected, found 8"):
        turned(tiles, number=8)
