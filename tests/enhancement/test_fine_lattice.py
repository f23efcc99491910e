"""Places between spots: where spots all around say that there is tissue, in the right place on the slide."""

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.fine_lattice import fine_tiles
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.enhancement.spot_lattice import spot_lattice
from mclstexp.io.slides import ArraySlide

SLIDE = ArraySlide(np.full((40, 40, 3), 255, np.uint8), mpp=2.0, id="s")


def spots(array_xy, xy=None):
    array_xy = np.asarray(array_xy, float)
    xy = 10 * array_xy if xy is None else xy
    ids = np.array([f"spot{i}" for i in range(len(array_xy))])
    return Tiles(slide=SLIDE, xy=xy, ids=ids, spec=TileSpec(), array_xy=array_xy)


def places(tiles, factor=2):
    fine = fine_tiles(tiles, factor=factor)
    return {tuple(place) for place in fine.array_xy[len(tiles) :].tolist()}


def test_a_square_has_four_middles_and_a_centre():
    four = [(3, 5), (4, 5), (3, 6), (4, 6)]
    assert places(spots(four)) == {(3.5, 5), (3, 5.5), (4, 5.5), (3.5, 6), (3.5, 5.5)}
    assert places(spots(four[:3])) == {(3.5, 5), (3, 5.5), (3.5, 5.5)}, "three corners hold the centre"
    assert places(spots([(3, 5), (4, 5), (5, 6)])) == {(3.5, 5)}, "two do not"


def test_a_hexagonal_array_has_the_middles_of_neighbours_alone():
    three = [(0, 0), (2, 0), (1, 1)]
    assert places(spots(three)) == {(1, 0), (0.5, 0.5), (1.5, 0.5)}
    assert places(spots([*three, (3, 1)])) == {(1, 0), (0.5, 0.5), (1.5, 0.5), (2, 1), (2.5, 0.5)}
    assert places(spots([(0, 0), (2, 2), (4, 0)])) == set(), "none of these are neighbours"


def test_a_hexagonal_array_may_be_counted_from_any_corner():
    even, odd = [(0, 0), (2, 0), (1, 1)], [(1, 0), (3, 0), (2, 1)]
    assert places(spots(odd)) == {(x + 1, y) for x, y in places(spots(even))}
    lattice = spot_lattice(spots(odd))
    np.testing.assert_array_equal(lattice.array, even)
    assert lattice.staggered
    np.testing.assert_allclose(lattice.px(lattice.cell.astype(float)), 10 * np.array(odd), atol=1e-9)


def test_thirds_of_a_triangle_hold_its_middle():
    found = places(spots([(0, 0), (2, 0), (1, 1)]), factor=3)
    assert len(found) == 7
    assert {(round(x, 6), round(y, 6)) for x, y in found} >= {(1, round(1 / 3, 6))}


def test_spots_come_first_and_stay_where_they_were_measured():
    moved = 10 * np.array([(0, 0), (1, 0), (0, 1), (1, 1)], float) + [(0.4, 0), (-0.4, 0), (-0.4, 0), (0.4, 0)]
    tiles = spots([(0, 0), (1, 0), (0, 1), (1, 1)], xy=moved)
    fine = fine_tiles(tiles, factor=2)
    assert fine.ids[:4].tolist() == tiles.ids.tolist()
    np.testing.assert_array_equal(fine.xy[:4], moved)
    assert fine.ids[4:].tolist() == ["0x0.5", "0.5x0", "0.5x0.5", "0.5x1", "1x0.5"]
    np.testing.assert_allclose(fine.xy[6], [5, 5])


def test_a_turned_array_is_followed():
    array_xy = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], float)
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]])
    fine = fine_tiles(spots(array_xy, xy=50 + 10 * array_xy @ turn), factor=2)
    np.testing.assert_allclose(fine.xy, 50 + 10 * fine.array_xy @ turn)


@pytest.mark.parametrize(
    ("array_xy", "factor", "said"),
    [
        ([(0, 0), (1, 0), (0, 1)], 1, "factor= of 2 to 8 expected, found 1"),
        ([(0, 0), (1, 0), (0, 1)], 9, "found 9"),
        ([(0, 0), (1, 0), (0, 1)], 2.0, "found 2.0"),
        ([(0, 0), (1, 0), (2, 0)], 2, "all spots on one line"),
        ([(0, 0), (1, 0), (0.9, 0.1)], 2, "two spots at one place"),
    ],
)
def test_what_is_no_lattice_is_refused_in_a_sentence(array_xy, factor, said):
    with pytest.raises(InputError, match=said):
        fine_tiles(spots(array_xy), factor=factor)


def test_places_without_an_array_are_refused():
    tiles = Tiles(slide=SLIDE, xy=np.zeros((1, 2)), ids=np.array(["a"]), spec=TileSpec())
    with pytest.raises(InputError, match="found no array coordinates: give a section on an array"):
        fine_tiles(tiles, factor=2)
