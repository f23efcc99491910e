"""Tiles: places in physical units, frozen, and never expression."""

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.slides import ArraySlide

SLIDE = ArraySlide(np.full((200, 300, 3), 240, np.uint8), mpp=2.0, id="slide")


def _tiles(**changed):
    given = {"slide": SLIDE, "xy": [[10.0, 20], [30, 40], [50, 60]], "ids": ["a", "b", "c"], "spec": TileSpec(8, 2.0)}
    return Tiles(**given | changed)


def test_a_spec_is_a_size_in_tissue():
    assert TileSpec(224, 0.5).size_um == 112
    for size_px, mpp in ((0, 1), (2.5, 1), (8, 0), (8, float("nan")), (8, float("inf"))):
        with pytest.raises(InputError, match="must be a positive"):
            TileSpec(size_px, mpp)


def test_places_are_in_um_too_and_stay_together():
    tiles = _tiles(array_xy=[[0, 0], [1, 0], [2, 0]])
    np.testing.assert_array_equal(tiles.xy_um, tiles.xy * 2)
    part = tiles.take([2, 0])
    assert list(part.ids) == ["c", "a"]
    np.testing.assert_array_equal(part.array_xy, [[2, 0], [0, 0]])
    assert len(tiles.take(np.array([True, False, True]))) == 2
    assert tiles.read(0).shape == (8, 8, 3)


def test_what_is_frozen_cannot_be_written_to():
    xy = np.zeros((3, 2))
    tiles = _tiles(xy=xy)
    xy[0] = 99
    assert tiles.xy[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        tiles.xy[0] = 1


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"xy": [[1.0, 2, 3]] * 3}, r"shape \(n, 2\)"),
        ({"xy": [[np.nan, 1], [2, 3], [4, 5]]}, "NaN or infinity in 1 of 3 rows"),
        ({"xy": [[1e300, 1], [2, 3], [4, 5]]}, "a place beyond .* in 1 of 3 rows"),
        ({"ids": ["a", "b"]}, "2 ids for 3 tiles"),
        ({"ids": ["a", "b", "a"]}, "'a' 2 times on slide"),
        ({"array_xy": [[1, 2]]}, "array coordinates must have shape"),
    ],
)
def test_broken_places_are_refused(changed, sentence):
    with pytest.raises(InputError, match=sentence):
        _tiles(**changed)


def test_a_grid_covers_the_slide_without_gap_or_overlap():
    grid = Tiles.grid(SLIDE, spec=TileSpec(50, 2.0))
    assert len(grid) == 6 * 4
    np.testing.assert_array_equal(np.unique(grid.xy[:, 0]), [25, 75, 125, 175, 225, 275])
    np.testing.assert_array_equal(np.unique(np.diff(np.unique(grid.xy[:, 1]))), [50])
    assert grid.ids[0] == "0x0"


def test_a_grid_keeps_to_its_mask_at_any_scale():
    mask = np.zeros((20, 30), bool)
    mask[:, :10] = True  # the left third
    grid = Tiles.grid(SLIDE, mask, spec=TileSpec(10, 2.0), stride_um=20.0)
    assert grid.xy[:, 0].max() < 100
    assert len(grid) == 10 * 20
    with pytest.raises(InputError, match="no tile of 20 µm lies on the mask of slide"):
        Tiles.grid(SLIDE, np.zeros((5, 5), bool), spec=TileSpec(10, 2.0))
    with pytest.raises(InputError, match="stride must be a positive"):
        Tiles.grid(SLIDE, stride_um=0)


@pytest.mark.parametrize("mpp", [1e-300, 9e-4, 1.1e4, 1e300])
def test_a_scale_beyond_every_microscope_and_camera_is_refused(mpp):
    for make in (lambda: TileSpec(8, mpp), lambda: ArraySlide(np.zeros((8, 8, 3), np.uint8), mpp=mpp, id="a")):
        with pytest.raises(InputError, match=r"mpp must be 0.001 to 10000 µm per pixel, found .*: check its unit"):
            make()
    assert TileSpec(8, 1e-3).mpp == 1e-3
