"""Patches are the tiles themselves, and the same tissue when they are shrunk."""

import numpy as np

from mclstexp.core.tiles import TileSpec
from mclstexp.data.pixels import read_patches
from small_methods import small_sections


def test_patches_are_the_tiles_with_channels_first():
    tiles = small_sections(2)[0].tiles
    patches = read_patches(tiles, size_px=tiles.spec.size_px)
    for row in (0, 7):
        np.testing.assert_array_equal(patches[row].transpose(1, 2, 0), tiles.read(row))


def test_a_smaller_patch_shows_the_same_tissue():
    tiles = small_sections(2)[0].tiles.with_spec(TileSpec(64, 4.0))
    whole, small = read_patches(tiles, size_px=64), read_patches(tiles, size_px=16)
    assert small.shape == (len(tiles), 3, 16, 16)
    blocks = whole.astype(float).reshape(len(tiles), 3, 16, 4, 16, 4).mean(axis=(3, 5))
    assert np.abs(blocks - small).mean() < 4
