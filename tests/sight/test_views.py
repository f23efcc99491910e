"""Views: one place at several widths, from pixels alone."""

import numpy as np
import pytest

from mclstexp.core.tiles import TileSpec
from mclstexp.io.synthetic import make_sections
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.symmetries import embed_symmetries
from mclstexp.sight.views import embed_views

ENCODER = "random:test_efficientnet"


@pytest.fixture(scope="module")
def tiles():
    return make_sections(1, n_spots_side=3, mpp=4.0, n_genes=30, spec=TileSpec(64, 4.0))[0].tiles


def test_views_are_tiles_of_another_scale_at_half_the_size(tiles):
    views = embed_views(tiles, ENCODER, widths=(1.0, 2.0))
    expected = [embed_tiles(tiles.with_spec(TileSpec(32, mpp)), ENCODER) for mpp in (8.0, 16.0)]
    np.testing.assert_array_equal(views, np.concatenate(expected, axis=1))
    own = embed_views(tiles, ENCODER, widths=(1.0,), size_px=64)
    np.testing.assert_array_equal(own, embed_tiles(tiles, ENCODER))


def test_views_may_be_averaged_over_symmetries_and_may_be_none(tiles):
    views = embed_views(tiles, ENCODER, widths=(2.0,), size_px=32, symmetric=True)
    wider = tiles.with_spec(TileSpec(32, 16.0))
    np.testing.assert_array_equal(views, embed_symmetries(wider, ENCODER).mean(axis=1))
    assert embed_views(tiles, ENCODER, widths=()).shape == (len(tiles), 0)
