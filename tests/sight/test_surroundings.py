"""Parts and surroundings lie where they are said to lie, are read once, and depend on nobody else."""

import numpy as np
import pytest
import torch

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.slides import ArraySlide
from mclstexp.nn.image_encoders import ImageEncoder, create_encoder
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.surroundings import embed_subtiles, embed_window, window_around

TINY = "random:test_efficientnet"


class _Brightness(torch.nn.Module):
    """Mean of each channel; takes any size, or one."""

    def __init__(self, size_px=None):
        super().__init__()
        side = size_px or 32
        self.pretrained_cfg = {"input_size": (3, side, side), "fixed_input_size": size_px is not None}
        self.pretrained_cfg |= {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
        self.num_features = 3

    def forward(self, images):
        return images.mean(dim=(2, 3))


def _brightness(size_px=None):
    return ImageEncoder(_Brightness(size_px), name="brightness")


def _slide(bright=None, *, mpp=0.5, size_px=480):
    pixels = np.zeros((size_px, size_px, 3), np.uint8)
    if bright is not None:
        x, y, side = bright
        pixels[y : y + side, x : x + side] = 255
    return ArraySlide(pixels, mpp=mpp, id="slide")


def _noise():
    return ArraySlide(np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8), mpp=0.5, id="noise")


def _tiles(slide, xy, spec):
    return Tiles(slide=slide, xy=xy, ids=[f"t{i}" for i in range(len(xy))], spec=spec)


def test_a_bright_square_is_found_in_its_part():
    # tile of 96 px around (240, 240), parts of 32: the square is the middle row's right one
    tiles = _tiles(_slide((256, 224, 32)), [[240.0, 240.0]], TileSpec(96, 0.5))
    parts = embed_subtiles(tiles, _brightness())
    assert parts.shape == (1, 9, 3)
    np.testing.assert_allclose(parts[0, :, 0], np.eye(9)[5], atol=1e-3)
    enlarged = embed_subtiles(tiles, _brightness(224))  # takes one size only: the same places, seen larger
    np.testing.assert_allclose(enlarged[0, :, 0], np.eye(9)[5], atol=0.05)


def test_a_bright_square_is_found_in_its_place_around():
    # tiles of 32 px: the square lies two columns right and one row above, in row 1, column 4 of five
    tiles = _tiles(_slide((240 + 64 - 16, 240 - 32 - 16, 32)), [[240.0, 240.0]], TileSpec(32, 0.5))
    around = embed_window(tiles, _brightness())
    assert around.shape == (1, 25, 3)
    np.testing.assert_allclose(around[0, :, 0], np.eye(25)[9], atol=1e-3)
    wider = embed_window(tiles, _brightness(), n_side=3, stride_um=32.0)
    assert wider.shape == (1, 9, 3)
    np.testing.assert_allclose(wider[0, 5, 0], 0, atol=1e-3)  # 64 px right, same row: dark


def test_distances_are_in_um_whatever_the_slides_scale():
    tiles = _tiles(_slide((240 + 16 - 8, 232, 16), mpp=1.0), [[240.0, 240.0]], TileSpec(32, 0.5))
    np.testing.assert_allclose(embed_window(tiles, _brightness(), n_side=3)[0, :, 0], np.eye(9)[5], atol=0.1)


def test_outside_the_slide_is_white():
    tiles = _tiles(_slide(), [[16.0, 16.0]], TileSpec(32, 0.5))
    around = embed_window(tiles, _brightness(), n_side=3)[0, :, 0].reshape(3, 3)
    np.testing.assert_allclose(around, [[1, 1, 1], [1, 0, 0], [1, 0, 0]], atol=1e-3)


def test_the_middle_is_the_tile_itself():
    tiles = Tiles.grid(_noise(), spec=TileSpec(32, 0.5)).take([11, 45, 99])
    encoder = create_encoder(TINY)
    own = embed_tiles(tiles, encoder)
    np.testing.assert_array_equal(embed_window(tiles, encoder)[:, 12], own)
    np.testing.assert_array_equal(embed_window(tiles, encoder, n_side=1)[:, 0], own)
    np.testing.assert_array_equal(embed_subtiles(tiles, encoder, n_side=1)[:, 0], own)


def test_surroundings_do_not_depend_on_what_else_is_asked():
    tiles = Tiles.grid(_noise(), spec=TileSpec(32, 0.5), stride_um=39.9)
    some = np.array([5, 3, 14])
    whole = window_around(tiles)
    few = window_around(tiles.take(some))
    np.testing.assert_array_equal(few.places.xy[few.index], whole.places.xy[whole.index[some]])
    np.testing.assert_array_equal(embed_window(tiles.take(some), TINY), embed_window(tiles, TINY)[some])
    np.testing.assert_array_equal(embed_subtiles(tiles.take(some), TINY), embed_subtiles(tiles, TINY)[some])


@pytest.mark.parametrize("mpp", [0.5, 0.2531])
def test_on_a_grid_a_place_is_read_once(mpp):
    slide = ArraySlide(np.zeros((400, 400, 3), np.uint8), mpp=mpp, id="slide")
    grid = Tiles.grid(slide, spec=TileSpec(32, 0.5))
    side = round(len(grid) ** 0.5)
    window = window_around(grid)
    assert len(window.places) == (side + 4) ** 2
    np.testing.assert_allclose(window.places.xy[window.index[:, 12]], grid.xy, atol=1e-3)


def test_no_tiles_have_no_surroundings():
    none = _tiles(_slide(), np.zeros((0, 2)), TileSpec(32, 0.5))
    assert embed_window(none, _brightness()).shape == (0, 25, 3)
    assert embed_subtiles(none, _brightness()).shape == (0, 9, 3)


def test_impossible_windows_are_refused():
    tiles = _tiles(_slide(), [[240.0, 240.0]], TileSpec(32, 0.5))
    for n_side in (0, 4):
        with pytest.raises(InputError, match=f"odd number of tiles a side expected, found {n_side}"):
            window_around(tiles, n_side=n_side)
    with pytest.raises(InputError, match="stride must be a positive"):
        window_around(tiles, stride_um=0)
    with pytest.raises(InputError, match="positive number of parts a side expected, found 0"):
        embed_subtiles(tiles, _brightness(), n_side=0)
