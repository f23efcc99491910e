import numpy as np
import pytest
import tifffile
from PIL import Image

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.slides import open_slide


def _bad(tmp_path):
    """Name → file that cannot be used, and what its one sentence must say."""
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    Image.fromarray(noise).save(tmp_path / "whole.png")
    tifffile.imwrite(tmp_path / "whole.tif", noise, photometric="rgb", rowsperstrip=16)
    for name in ("whole.jpg", "whole.png"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / f"cut.{name[-3:]}").write_bytes(data[: len(data) // 2])
    (tmp_path / "cut.tif").write_bytes((tmp_path / "whole.tif").read_bytes()[:-10000])
    (tmp_path / "head.tif").write_bytes((tmp_path / "whole.tif").read_bytes()[:12])
    (tmp_path / "bare.tif").write_bytes(b"II*\0" + bytes(4))
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.svs").write_text("not an image")
    Image.fromarray(np.zeros((64, 64), np.uint16)).save(tmp_path / "grey16.png")
    tifffile.imwrite(tmp_path / "rgb16.tif", np.zeros((64, 64, 3), np.uint16), photometric="rgb")
    tifffile.imwrite(tmp_path / "tiled16.tif", np.zeros((64, 64, 3), np.uint16), photometric="rgb", tile=(16, 16))
    tifffile.imwrite(tmp_path / "float.tif", np.zeros((64, 64), np.float32), photometric="minisblack")
    tifffile.imwrite(tmp_path / "stack.ome.tif", np.zeros((5, 64, 64), np.uint8), photometric="minisblack")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.svs", "found nothing: check the path"),
        (".", "found a folder"),
        ("text.svs", "an image expected"),
        ("empty.png", "an image expected"),
        ("cut.jpg", "cut short"),
        ("cut.png", "cut short"),
        ("cut.tif", "cut short"),
        ("head.tif", "cut short"),
        ("bare.tif", "no picture in it"),
        ("grey16.png", "8-bit colour or grey expected, found 16-bit pixels: save it as 8-bit RGB"),
        ("rgb16.tif", "found uint16 pixels"),
        ("tiled16.tif", "found uint16 pixels"),
        ("float.tif", "found float32 pixels"),
        ("stack.ome.tif", r"one RGB or grey picture expected, found 5 plane\(s\)"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path, name, says):
    folder = _bad(tmp_path)
    with pytest.raises(InputError, match=says) as error:
        open_slide(folder / name, mpp=0.5).read((128, 200), TileSpec(128, 0.5))
    assert "\n" not in str(error.value)


def test_a_16_bit_colour_png_is_refused(tmp_path):
    import imagecodecs

    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.full((8, 8, 3), 999, np.uint16)))
    with pytest.raises(InputError, match="found 16-bit pixels"):
        open_slide(tmp_path / "a.png", mpp=0.5)


def test_an_image_beyond_pillows_limit_opens(tmp_path):
    big = Image.new("1", (14000, 14000))
    big.putpixel((13999, 13999), 1)
    big.save(tmp_path / "a.png", compress_level=1)
    limit = Image.MAX_IMAGE_PIXELS
    slide = open_slide(tmp_path / "a.png", mpp=1.0)
    assert slide.size_px == (14000, 14000)
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.slow
def test_an_image_beyond_pillows_limit_is_read(tmp_path):
    big = Image.new("1", (14000, 14000))
    big.putpixel((13999, 13999), 1)
    big.save(tmp_path / "a.png", compress_level=1)
    tile = open_slide(tmp_path / "a.png", mpp=1.0).read((13999, 13999), TileSpec(2, 1.0))
    np.testing.assert_array_equal(tile[..., 0], [[0, 0], [0, 255]])
