from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from mclstexp.core.errors import InputError
from mclstexp.io.slides import open_slide, probe_slide


@pytest.fixture
def picture():
    return np.zeros((300, 400, 3), np.uint8)


@pytest.mark.parametrize(
    ("options", "mpp"),
    [
        ({"resolution": (20000, 20000), "resolutionunit": 3}, 0.5),
        ({"resolution": (25400 / 0.25, 25400 / 0.25), "resolutionunit": 2}, 0.25),
        ({"resolution": (72, 72), "resolutionunit": 2}, None),
        ({"resolution": (20000, 20000), "resolutionunit": 1}, None),
        ({"resolution": (20000, 10000), "resolutionunit": 3}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("tile", [None, (256, 256)])
def test_mpp_from_resolution_tags(tmp_path, picture, options, mpp, tile):
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb", tile=tile, **options)
    header = probe_slide(tmp_path / "a.tif")
    assert header.size_px == (400, 300)
    assert header.mpp == (None if mpp is None else pytest.approx(mpp, rel=1e-4))


def test_an_unknown_mpp_must_be_given(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: mpp unknown .* give mpp="):
        open_slide(tmp_path / "a.png")
    assert probe_slide(tmp_path / "a.png").mpp is None
    for mpp in (0, -1, np.nan, np.inf):
        with pytest.raises(InputError, match="mpp must be a positive number"):
            open_slide(tmp_path / "a.png", mpp=mpp)


def test_pixels_that_are_not_square_are_refused_unless_mpp_is_given(tmp_path, picture):
    options = {"photometric": "rgb", "resolution": (20000, 10000), "resolutionunit": 3}
    tifffile.imwrite(tmp_path / "a.tif", picture, **options)
    with pytest.raises(InputError, match=r"found 0\.5 by 1 µm: give mpp="):
        open_slide(tmp_path / "a.tif")
    assert open_slide(tmp_path / "a.tif", mpp=0.5).mpp == 0.5


def test_no_file_that_the_ome_xml_names_is_opened(tmp_path, picture, monkeypatch):
    """Pixels of a set spread over files: this file's own are read, and its neighbours are left alone."""
    opened = []
    plain = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: (opened.append(self.name), plain(self, *a, **k))[1])
    handle = tifffile.tifffile.FileHandle.open
    monkeypatch.setattr(tifffile.tifffile.FileHandle, "open", lambda self: (handle(self), opened.append(self.name)))
    xml = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:00000000-0000-4000-8000-00000000000{own}">
<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="{x}" SizeY="{y}" SizeC="3"
 SizeZ="1" SizeT="2" PhysicalSizeX="0.5" PhysicalSizeY="0.5"><Channel ID="Channel:0:0" SamplesPerPixel="3"/>
<TiffData IFD="0" FirstT="0" PlaneCount="1"><UUID FileName="other.ome.tif">{0}1</UUID></TiffData>
<TiffData IFD="0" FirstT="1" PlaneCount="1"><UUID FileName="own.ome.tif">{0}2</UUID></TiffData>
</Pixels></Image></OME>"""
    place = {"x": picture.shape[1], "y": picture.shape[0]}
    for own, name, pixels in ((1, "other", 255 - picture), (2, "own", picture)):
        text = xml.format("urn:uuid:00000000-0000-4000-8000-00000000000", own=own, **place)
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", pixels, photometric="rgb", description=text, metadata=None)
    with tifffile.TiffFile(tmp_path / "own.ome.tif") as file:
        assert len(file.series[0].pages) == 2, "tifffile itself would follow the name"
    assert "other.ome.tif" in opened
    opened.clear()
    slide = open_slide(tmp_path / "own.ome.tif")
    assert slide.mpp == 0.5
    np.testing.assert_array_equal(slide.thumbnail(max(picture.shape)), picture)
    assert set(opened) == {"own.ome.tif"}


@pytest.mark.parametrize(
    ("unit", "per_unit", "mpp"),
    [
        ("micron", 2, 0.5), ("um", 4, 0.25), ("µm", 2, 0.5), ("\\u00B5m", 2, 0.5), ("nm", 0.002, 0.5),
        ("mm", 2000, 0.5), ("cm", 20000, 0.5), ("inch", 101600, 0.25), ("pixel", 2, None), ("inch", 72, None),
        ("", 2, None),
    ],
)  # fmt: skip
def test_mpp_from_imagejs_unit(tmp_path, picture, unit, per_unit, mpp):
    description = f"ImageJ=1.53t\nunit={unit}\nspacing=1.0\n".encode()
    tifffile.imwrite(
        tmp_path / "a.tif", picture, photometric="rgb", description=description, metadata=None,
        resolution=(per_unit, per_unit), resolutionunit=1,
    )  # fmt: skip
    assert probe_slide(tmp_path / "a.tif").mpp == (None if mpp is None else pytest.approx(mpp, rel=1e-4))


def test_imagej_as_tifffile_writes_it(tmp_path, picture):
    tifffile.imwrite(tmp_path / "a.tif", picture, imagej=True, resolution=(2, 2), metadata={"unit": "um"})
    assert probe_slide(tmp_path / "a.tif").mpp == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("said", "mpp"),
    [
        ({"PhysicalSizeX": 500, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 500, "PhysicalSizeYUnit": "nm"}, 0.5),
        ({"PhysicalSizeX": 5e-4, "PhysicalSizeXUnit": "mm", "PhysicalSizeY": 0.5}, 0.5),
        ({"PhysicalSizeX": 5000, "PhysicalSizeXUnit": "Å", "PhysicalSizeY": 5e-5, "PhysicalSizeYUnit": "cm"}, 0.5),
        # without a length the resolution tags count, here 0.25
        ({"PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel", "PhysicalSizeY": 1, "PhysicalSizeYUnit": "pixel"}, 0.25),
        ({}, 0.25),
    ],
)
def test_mpp_from_omes_units_else_the_tags(tmp_path, picture, said, mpp):
    tifffile.imwrite(
        tmp_path / "a.ome.tif", picture, ome=True, photometric="rgb", metadata={"axes": "YXS", **said},
        resolution=(40000, 40000), resolutionunit="CENTIMETER",
    )  # fmt: skip
    assert probe_slide(tmp_path / "a.ome.tif").mpp == pytest.approx(mpp, rel=1e-4)


@pytest.mark.parametrize("tile", [None, (256, 256)])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("n_colours", [1, 3])
def test_a_channel_of_no_stated_meaning_is_no_alpha(tmp_path, tile, planar, n_colours):
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (300, 400, n_colours), np.uint8)
    pixels = np.concatenate([colours, np.zeros((300, 400, 1), np.uint8)], axis=2)
    stored = pixels if planar == "contig" else np.moveaxis(pixels, 2, 0)
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric="rgb" if n_colours == 3 else "minisblack", planarconfig=planar,
        extrasamples=["unspecified"], tile=tile, compression="zlib",
    )  # fmt: skip
    slide = open_slide(tmp_path / "a.tif", mpp=0.5)
    assert np.array_equal(slide.thumbnail(400), np.broadcast_to(colours, (300, 400, 3)))


@pytest.mark.parametrize("kind", ["assocalpha", "unassalpha"])
def test_what_is_transparent_is_white_and_nothing_else_is_refused(tmp_path, kind):
    pixels = np.full((300, 400, 4), 90, np.uint8)
    pixels[..., 3] = 0
    path = tmp_path / "a.tif"
    options = {"photometric": "rgb", "extrasamples": [kind], "tile": (64, 64)}
    tifffile.imwrite(path, pixels, **options)
    with pytest.raises(InputError, match=r"a\.tif: a picture expected, found it transparent all over: save it as RGB"):
        open_slide(path, mpp=0.5)
    pixels[200:, 300:, 3] = 255
    tifffile.imwrite(path, pixels, **options)
    read = open_slide(path, mpp=0.5).thumbnail(400)
    assert ((read[:200] if kind == "unassalpha" else read[210:, 310:]) == (255 if kind == "unassalpha" else 90)).all()
    assert (read[200:, 300:] == 90).all()


@pytest.mark.parametrize(("mode", "ending"), [("RGBA", "png"), ("LA", "png"), ("RGBA", "webp")])
def test_a_plain_image_that_is_transparent_all_over_is_refused(tmp_path, mode, ending):
    path = tmp_path / f"a.{ending}"
    colour = (90, 90, 90, 0) if mode == "RGBA" else (90, 0)
    picture = Image.new(mode, (80, 60), colour)
    picture.save(path, **({"lossless": True, "exact": True} if ending == "webp" else {}))
    with pytest.raises(InputError, match="found it transparent all over"):
        open_slide(path, mpp=0.5)
    assert probe_slide(path).size_px == (80, 60)
    picture.putpixel((3, 4), (90, 90, 90, 255) if mode == "RGBA" else (90, 255))
    picture.save(path, **({"lossless": True, "exact": True} if ending == "webp" else {}))
    assert (open_slide(path, mpp=0.5).thumbnail(80) < 255).any(axis=2).sum() == 1
