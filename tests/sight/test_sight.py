"""A sight: what is seen of a place, in which order, and that it is one for all methods."""

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.data.neighbours import mean_of_neighbours
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.fitted import FittedSight
from mclstexp.sight.sight import N_COLOUR, Seen, Sight, colour_numbers
from mclstexp.sight.symmetries import embed_symmetries, turned
from mclstexp.sight.views import embed_views
from small_methods import ENCODER, small_sections


@pytest.fixture(scope="module")
def tiles():
    return small_sections(1)[0].tiles


def _seen(sight, tiles):
    return FittedSight.fit(sight, [tiles]).look(tiles)


def test_a_plain_sight_is_the_tile(tiles):
    assert Sight(ENCODER).is_plain
    np.testing.assert_array_equal(_seen(Sight(ENCODER), tiles).values, embed_tiles(tiles, ENCODER))


def test_all_of_it_lies_side_by_side(tiles):
    sight = Sight(ENCODER, view_widths=(4.0, 2.0), context_radii_um=(300.0,), colour=True)
    seen = _seen(sight, tiles)
    views = embed_views(tiles, ENCODER, widths=(2.0, 4.0))
    widest = views[:, views.shape[1] // 2 :]
    around = mean_of_neighbours(widest, tiles.xy_um, radius_um=300.0)
    expected = np.concatenate([embed_tiles(tiles, ENCODER), views, colour_numbers(tiles), around], axis=1)
    np.testing.assert_allclose(seen.values, expected, atol=1e-6)
    assert (seen.n_own, seen.n_views, seen.n_colour) == (views.shape[1] // 2, views.shape[1], N_COLOUR)
    assert seen.n_place == seen.n_own + seen.n_views + seen.n_colour
    np.testing.assert_array_equal(seen.values[:, seen.widest], widest)
    assert sight.text() == "tile, x2 x4, 300 µm around, colour"
    assert (sight.context_um, sight.is_plain) == (300.0, False)


def test_symmetries_are_averaged_or_looked_at_one_by_one(tiles):
    upright = FittedSight.fit(Sight(ENCODER), [tiles])
    ways = [upright.look(tiles, symmetry=number).values for number in range(8)]
    np.testing.assert_array_equal(ways[3], embed_tiles(turned(tiles, number=3), ENCODER))
    symmetric = _seen(Sight(ENCODER, symmetric=True), tiles).values
    np.testing.assert_allclose(symmetric, np.mean(ways, axis=0), atol=1e-5)
    np.testing.assert_array_equal(symmetric, embed_symmetries(tiles, ENCODER).mean(axis=1))


def test_colour_is_measured_at_several_widths(tiles):
    numbers = colour_numbers(tiles)
    assert numbers.shape == (len(tiles), N_COLOUR)
    spec = TileSpec(32, tiles.spec.size_um * 4 / 32)
    np.testing.assert_array_equal(numbers[:, 9:12], embed_tiles(tiles.with_spec(spec), "colour")[:, :3])


def test_sections_are_put_one_below_the_other(tiles):
    seen = _seen(Sight(ENCODER), tiles)
    both = Seen.join([seen, seen])
    assert (len(both.values), both.n_own) == (2 * len(tiles), seen.n_own)


@pytest.mark.parametrize("wrong", [{"view_widths": (0.0,)}, {"context_radii_um": (-1.0,)}, {"view_size_px": 0}])
def test_what_is_no_length_is_refused(wrong):
    with pytest.raises(InputError, match=f"option {next(iter(wrong))}"):
        Sight(ENCODER, **wrong)
