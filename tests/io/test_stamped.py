"""Painted pictures say in their files that they are synthetic, and painted slides open as slides."""

import numpy as np
import pytest
from PIL import Image

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.slides import open_slide
from mclstexp.io.stamped import read_stamp, write_stamped_png, write_stamped_slide

SAID = {"method": "diffusion", "seed": 3, "patients": ["Zoë & <co>"], "mpp": 1.75}


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 255, (320, 640, 3), np.uint8)


def test_a_tile_says_that_it_is_synthetic(picture, tmp_path):
    path = write_stamped_png(picture, tmp_path / "a.png", said=SAID)
    assert read_stamp(path) == {**SAID, "synthetic": True}
    with Image.open(path) as found:
        assert np.array_equal(np.asarray(found), picture)
        assert found.text["Comment"].startswith("synthetic")
    Image.fromarray(picture).save(tmp_path / "real.png")
    assert read_stamp(tmp_path / "real.png") is None


def test_a_slide_says_so_and_opens_with_its_pyramid(picture, tmp_path):
    path = write_stamped_slide(picture, tmp_path / "s.ome.tif", mpp=1.75, said=SAID, repeat=(3, 2))
    assert read_stamp(path) == {**SAID, "synthetic": True}
    slide = open_slide(path)
    assert (slide.size_px, slide.mpp) == ((1280, 960), 1.75)
    assert len(slide._source.sizes_px) == 2
    tile = slide.read((640 + 320, 320 + 160), TileSpec(64, 1.75))
    assert np.array_equal(tile, picture[128:192, 288:352]), "the second picture below, the second beside"
    coarse = slide.read((320, 160), TileSpec(16, 3.5))
    expected = picture[144:176, 304:336].reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))
    assert np.abs(coarse.astype(float) - expected).max() <= 1
    again = write_stamped_slide(picture, tmp_path / "again.ome.tif", mpp=1.75, said=SAID, repeat=(3, 2))
    assert again.read_bytes() == path.read_bytes()
    with pytest.raises(InputError, match="a picture laid once or more"):
        write_stamped_slide(picture, tmp_path / "n.ome.tif", mpp=1.75, said=SAID, repeat=(0, 1))
    assert not (tmp_path / "n.ome.tif").exists()
