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
