from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
from PIL import Image

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.pixel_sources import OpenSlidePixels, PlainPixels
from mclstexp.io.slides import ArraySlide, open_pixels, open_slide, probe_slide
from mclstexp.io.tiff_pixels import TiffPixels

WIDTH, HEIGHT = 1024, 768
SQUARE = (600, 320)
"""Centre (column, row) of the one bright square; 32 px wide."""
MPP = 0.5


@pytest.fixture(scope="module")
def picture():
    """Black, with one white square; its sides fall on multiples of 16, so JPEG keeps them."""
    array = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    array[304:336, 584:616] = 255
    return array


def _half(array):
    return np.asarray(Image.fromarray(array).reduce(2))


def _write_pyramid(path, picture, **options):
    """Tiled pyramid as separate directories."""
    options = {"photometric": "rgb", "tile": (256, 256), "resolution": (20000, 20000), "resolutionunit": 3} | options
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(picture, **options)
        tiff.write(_half(picture), subfiletype=1, **options)
        tiff.write(_half(_half(picture)), subfiletype=1, **options)


def _write_aperio(path, picture):
    """The same as Aperio's scanners name it, which OpenSlide reads."""
    _write_pyramid(
        path, picture, description="Aperio Image Library v12\n|AppMag = 20|MPP = 0.5", compression="jpeg", metadata=None
    )


def _write_ome(path, picture, metadata=None, **options):
    metadata = metadata or {"axes": "YXS", "PhysicalSizeX": 500.0, "PhysicalSizeXUnit": "nm"} | {
        "PhysicalSizeY": 0.5,
        "PhysicalSizeYUnit": "µm",
    }
    options = {"photometric": "rgb", "tile": (128, 128), "compression": "deflate"} | options
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(picture, subifds=2, metadata=metadata, **options)
        tiff.write(_half(picture), subfiletype=1, **options)
        tiff.write(_half(_half(picture)), subfiletype=1, **options)


WRITERS = {
    "a.png": lambda path, a: Image.fromarray(a).save(path),
    "rgb.jpg": lambda path, a: Image.fromarray(a).save(path, quality=95),
    "grey.jpg": lambda path, a: Image.fromarray(a).convert("L").save(path, quality=95),
    "cmyk.jpg": lambda path, a: Image.fromarray(a).convert("CMYK").save(path, quality=95),
    "a.bmp": lambda path, a: Image.fromarray(a).save(path),
    "palette.png": lambda path, a: Image.fromarray(a).convert("P").save(path),
    "bilevel.png": lambda path, a: Image.fromarray(a).convert("1").save(path),
    "aperio.svs": _write_aperio,
    "pyramid.tif": _write_pyramid,
    "a.ome.tif": _write_ome,
    "strips.tif": lambda path, a: tifffile.imwrite(path, a, photometric="rgb", rowsperstrip=50, compression="lzw"),
    "grey.tif": lambda path, a: tifffile.imwrite(path, a[..., 0], photometric="minisblack"),
    "inverse.tif": lambda path, a: tifffile.imwrite(path, 255 - a[..., 0], photometric="miniswhite"),
    "planar.tif": lambda path, a: tifffile.imwrite(
        path, np.moveaxis(a, 2, 0), photometric="rgb", planarconfig="separate", tile=(128, 128)
    ),
    "cmyk.tif": lambda path, a: tifffile.imwrite(
        path, np.asarray(Image.fromarray(a).convert("CMYK")), photometric="separated"
    ),
    "bilevel.tif": lambda path, a: tifffile.imwrite(path, a[..., 0] > 0, photometric="minisblack"),
    "palette.tif": lambda path, a: Image.fromarray(a).convert("P").save(path),
    "ycbcr.ome.tif": lambda path, a: _write_ome(path, a, compression="jpeg", compressionargs={"level": 95}),
}
LOSSLESS = [name for name in WRITERS if not name.endswith((".jpg", ".svs")) and "ycbcr" not in name]


def _centre_and_side(tile, threshold=128):
    """Centroid of what is bright, and its side, in tile pixels (pixel i covers [i, i + 1))."""
    weight = tile[..., 0].astype(float) / 255
    weight[weight < 0.1] = 0  # JPEG ringing
    rows, columns = np.indices(weight.shape) + 0.5
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum(), np.sqrt(weight.sum())


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("mpp", [0.5, 0.73, 1.0, 2.3])
def test_the_square_lands_where_it_is_in_every_format_at_every_scale(tmp_path, picture, name, mpp):
    path = tmp_path / name
    WRITERS[name](path, picture)
    slide = open_slide(path, mpp=MPP)
    assert slide.size_px == (WIDTH, HEIGHT)
    at = np.array([590.25, 330.5])
    centre, side = _centre_and_side(slide.read(at, TileSpec(96, mpp)))
    wanted = 48 + (np.array(SQUARE) - at) * MPP / mpp
    assert np.abs(centre - wanted).max() < 0.1 + 0.1 * ("jpg" in name or "ycbcr" in name or "svs" in name)
    assert side == pytest.approx(32 * MPP / mpp, abs=0.5)


@pytest.mark.parametrize("name", LOSSLESS)
def test_full_scale_pixels_are_those_of_the_file(tmp_path, picture, name):
    WRITERS[name](tmp_path / name, picture)
    tile = open_slide(tmp_path / name, mpp=MPP).read((590, 330), TileSpec(100, MPP))
    np.testing.assert_array_equal(tile, picture[280:380, 540:640])


def test_formats_meet_the_library_meant_for_them(tmp_path, picture):
    kinds = {}
    for name in ("a.png", "aperio.svs", "pyramid.tif", "a.ome.tif", "strips.tif"):
        WRITERS[name](tmp_path / name, picture)
        kinds[name] = type(open_pixels(tmp_path / name))
    assert kinds == {
        "a.png": PlainPixels,
        "aperio.svs": OpenSlidePixels,
        "pyramid.tif": TiffPixels,
        "a.ome.tif": TiffPixels,
        "strips.tif": TiffPixels,
    }


@pytest.mark.parametrize("name", ["pyramid.tif", "a.ome.tif"])
def test_a_coarse_tile_is_read_from_a_coarse_level(tmp_path, picture, name):
    """The levels carry different colours, so the tile tells where it came from."""
    levels = [np.full((HEIGHT >> k, WIDTH >> k, 3), 50 * (k + 1), np.uint8) for k in range(3)]
    options = {"photometric": "rgb", "tile": (128, 128), "metadata": None}
    with tifffile.TiffWriter(tmp_path / name, ome="ome" in name) as tiff:
        if "ome" in name:
            tiff.write(levels[0], subifds=2, **(options | {"metadata": {"axes": "YXS"}}))
        else:
            tiff.write(levels[0], **options)
        for level in levels[1:]:
            tiff.write(level, subfiletype=1, **options)
    slide = open_slide(tmp_path / name, mpp=0.25)
    found = [slide.read((500, 400), TileSpec(32, mpp))[16, 16, 0] for mpp in (0.2, 0.25, 0.49, 0.499, 0.5, 0.9, 1, 4)]
    assert found == [50, 50, 50, 100, 100, 100, 150, 150]  # 0.499 is within 1 % of level 1's 0.5


def test_levels_of_odd_size_stay_aligned(tmp_path):
    """1023 px halve to 511: the factor is 2, not 1023 / 511, or the far edge would shift by one pixel."""
    array = np.zeros((1023, 1023, 3), np.uint8)
    array[960:992, 960:992] = 255
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for k in range(3):
            level = np.asarray(Image.fromarray(array).reduce(2**k))[: 1023 >> k, : 1023 >> k]
            tiff.write(level, subfiletype=int(k > 0), tile=(256, 256), photometric="rgb")
    centre, side = _centre_and_side(open_slide(tmp_path / "a.tif", mpp=0.25).read((976, 976), TileSpec(16, 1.0)))
    np.testing.assert_allclose(centre, 8, atol=0.05)
    assert side == pytest.approx(8, abs=0.2)


def test_resampling_is_worked_by_hand():
    """One row of a two-pixel checker averages; a shift by half a pixel is the mean of two neighbours."""
    array = np.zeros((64, 64, 3), np.uint8)
    array[:, 32:] = 200
    slide = ArraySlide(array, mpp=1.0, id="a")
    np.testing.assert_array_equal(slide.read((32, 32), TileSpec(4, 1.0))[0, :, 0], [0, 0, 200, 200])
    np.testing.assert_array_equal(slide.read((31.5, 32), TileSpec(5, 1.0))[0, :, 0], [0, 0, 0, 200, 200])
    np.testing.assert_array_equal(slide.read((31.5, 32), TileSpec(4, 1.0))[0, :, 0], [0, 0, 100, 200])
    checker = np.indices((64, 64)).sum(axis=0) % 2 * 200
    fine = ArraySlide(np.repeat(checker[..., None], 3, axis=2).astype(np.uint8), mpp=1.0, id="a")
    assert np.abs(fine.read((32, 32), TileSpec(10, 4.0)).astype(int) - 100).max() <= 1  # antialiased, no moiré


def test_far_reductions_agree_with_the_mean_of_blocks():
    array = np.random.default_rng(0).integers(0, 256, (3000, 4000, 3), np.uint8)
    array[:, 2000:] //= 4
    slide = ArraySlide(array, mpp=0.25, id="a")
    tile = slide.read((2000, 1500), TileSpec(10, 50.0)).astype(float)  # 200 px of the slide to one of the tile
    assert tile[:, :4].mean() == pytest.approx(127.5, abs=1)
    assert tile[:, 6:].mean() == pytest.approx(31.5, abs=1)


def test_outside_is_white_and_nothing_wraps():
    array = np.zeros((200, 300, 3), np.uint8)
    slide = ArraySlide(array, mpp=1.0, id="a")
    tile = slide.read((0, 0), TileSpec(100, 1.0))
    assert (tile[:50] == 255).all()
    assert (tile[:, :50] == 255).all()
    assert (tile[50:, 50:] == 0).all()
    tile = slide.read((300, 200), TileSpec(100, 1.0))
    assert (tile[:50, :50] == 0).all()
    assert (tile[50:] == 255).all()
    assert (tile[:, 50:] == 255).all()
    assert (slide.read((-5000, 1e7), TileSpec(100, 1.0)) == 255).all()
    around = slide.read((150, 100), TileSpec(100, 10.0))
    assert (around[51 + 10 :] == 255).all()
    assert (around[41:59, 36:64] == 0).all()


@pytest.mark.parametrize("name", ["a.png", "pyramid.tif", "a.ome.tif"])
@pytest.mark.parametrize("xy", [(0, 0), (1023.5, 767.25), (-30, 400)])
def test_array_png_and_tiff_give_the_same_pixels(tmp_path, name, xy):
    array = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    WRITERS[name](tmp_path / name, array)
    spec = TileSpec(64, 0.7)
    np.testing.assert_array_equal(
        open_slide(tmp_path / name, mpp=MPP).read(xy, spec), ArraySlide(array, mpp=MPP, id="a").read(xy, spec)
    )


@pytest.mark.parametrize("name", ["a.png", "rgb.jpg", "pyramid.tif", "a.ome.tif", "strips.tif"])
def test_thumbnail(tmp_path, picture, name):
    WRITERS[name](tmp_path / name, picture)
    slide = open_slide(tmp_path / name, mpp=MPP)
    small = slide.thumbnail(128)
    assert small.shape == (96, 128, 3)
    centre, side = _centre_and_side(small)
    np.testing.assert_allclose(centre, np.array(SQUARE) / 8, atol=0.2)
    assert side == pytest.approx(4, abs=0.3)
    assert slide.thumbnail(5000).shape == (HEIGHT, WIDTH, 3)


def test_a_jpeg_is_decoded_once_for_each_level_and_not_at_all_by_opening(tmp_path, picture, monkeypatch):
    WRITERS["rgb.jpg"](tmp_path / "a.jpg", picture)
    decoded = []
    decode = PlainPixels._decode
    monkeypatch.setattr(PlainPixels, "_decode", lambda self, level: decoded.append(level) or decode(self, level))
    slide = open_slide(tmp_path / "a.jpg", mpp=MPP)
    assert decoded == []
    with ThreadPoolExecutor(8) as readers:
        list(readers.map(lambda i: slide.read((i, i), TileSpec(32, MPP)), range(8)))
    slide.thumbnail(128)
    assert decoded == [0, 3]


def test_what_is_transparent_becomes_white(tmp_path):
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[:, 32:, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    tifffile.imwrite(tmp_path / "b.tif", rgba, photometric="rgb", extrasamples=["assocalpha"])
    for name in ("a.png", "a.tif", "b.tif"):
        tile = open_slide(tmp_path / name, mpp=1.0).read((32, 32), TileSpec(64, 1.0))
        assert (tile[:, :32] == 255).all(), name
        assert (tile[:, 32:] == 0).all(), name


def test_exif_orientation_is_not_applied(tmp_path, picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture).save(tmp_path / "a.jpg", exif=exif)
    assert open_slide(tmp_path / "a.jpg", mpp=1.0).size_px == (WIDTH, HEIGHT)


def test_mpp_from_ome(tmp_path, picture):
    _write_ome(tmp_path / "a.ome.tif", picture)
    slide = open_slide(tmp_path / "a.ome.tif")
    assert (slide.mpp, slide.id) == (0.5, "a")
    assert open_slide(tmp_path / "a.ome.tif", mpp=0.4).mpp == 0.4
    _write_ome(tmp_path / "b.ome.tif", picture, {"axes": "YXS"})
    assert probe_slide(tmp_path / "b.ome.tif").mpp is None


def test_fingerprint_follows_content_not_name(tmp_path, picture):
    for name in ("a.png", "b.png"):
        Image.fromarray(picture).save(tmp_path / name)
    Image.fromarray(255 - picture).save(tmp_path / "c.png")
    a, b, c = (open_slide(tmp_path / f"{name}.png", mpp=1.0).fingerprint() for name in "abc")
    assert a == b != c
    same = ArraySlide(picture, mpp=1.0, id="a").fingerprint()
    assert same == ArraySlide(picture.copy(), mpp=2.0, id="b").fingerprint()
    assert same != ArraySlide(picture.reshape(WIDTH, HEIGHT, 3), mpp=1.0, id="a").fingerprint()


@pytest.mark.parametrize("array", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8)])
def test_arrays_that_are_no_rgb_image_are_refused(array):
    with pytest.raises(InputError, match="uint8 array expected"):
        ArraySlide(array, mpp=1.0, id="a")


@pytest.mark.parametrize("xy", [(np.nan, 1), (1, 2, 3), 5])
def test_a_centre_must_be_two_finite_numbers(picture, xy):
    with pytest.raises(InputError, match="two finite numbers"):
        ArraySlide(picture, mpp=1.0, id="a").read(xy, TileSpec())


@pytest.mark.data
def test_an_aperio_slide(data_dir):
    slide = open_slide(data_dir / "wsi" / "CMU-1-Small-Region.svs")
    assert (slide.id, slide.mpp, slide.size_px) == ("CMU-1-Small-Region", 0.499, (2220, 2967))
    fine, coarse = slide.read((1100, 1500), TileSpec(224, 0.499)), slide.read((1100, 1500), TileSpec(112, 0.998))
    assert fine.std() > 10
    halved = np.asarray(Image.fromarray(fine).resize((112, 112), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(halved - coarse)[2:-2, 2:-2].max() <= 1
    assert slide.thumbnail(300).shape == (300, 224, 3)


@pytest.mark.data
@pytest.mark.slow
def test_a_her2st_image(data_dir):
    path = next((data_dir / "her2st" / "data" / "ST-imgs" / "C" / "C6").glob("*.jpg"))
    slide = open_slide(path, mpp=0.68)
    assert min(slide.size_px) > 5000
    x, y = slide.size_px
    assert slide.read((x / 2, y / 2), TileSpec()).std() > 10
