"""Heatmaps read back by tifffile: the numbers, their places, and what viewers place them by."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
import tifffile

from made_prediction import corner_slide, made_prediction
from mclstexp.core.errors import InputError
from mclstexp.whole_slide.heatmaps import write_heatmap


@pytest.fixture
def out(tmp_path):
    return tmp_path / "new" / "g.ome.tif"


def pixels_of(path):
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_ome
        tag = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"
        pixels = ET.fromstring(tiff.ome_metadata.encode()).find(f"{tag}Image/{tag}Pixels")
        return pixels.attrib, pixels.find(f"{tag}Channel").attrib["Name"]


@pytest.mark.parametrize("stride_um", [112.0, 50.0, 300.0])
def test_each_pixel_lies_over_its_tile(out, stride_um):
    slide = corner_slide((905, 611))
    predicted = made_prediction(slide, stride_um=stride_um)
    size_um = np.array(slide.size_px) * slide.mpp
    where = predicted.obs[["array_col", "array_row"]]
    values = predicted.X[:, 1].copy()
    write_heatmap(values, where, stride_um=stride_um, gene="ROW", path=out, slide_size_um=tuple(size_um))
    image = tifffile.imread(out)
    assert image.dtype == np.float32
    # the pixel under a tile's centre in µm from the upper left corner of the slide
    columns, rows = (predicted.obsm["spatial"] * slide.mpp / stride_um).astype(int).T
    np.testing.assert_array_equal(image[rows, columns], values)
    assert np.isfinite(image).sum() == np.isfinite(values).sum()
    beyond = np.array(image.shape[::-1]) * stride_um - size_um
    assert ((beyond >= 0) & (beyond < stride_um)).all()


def test_viewers_are_told_size_and_gene(out):
    write_heatmap([1.0, 2.0, 3.0], [[0, 0], [3, 1], [2, 4]], stride_um=55.5, gene="HLA-A<β>", path=out)
    about, name = pixels_of(out)
    assert name == "HLA-A<β>"
    assert (about["SizeX"], about["SizeY"], about["SizeC"], about["Type"]) == ("4", "5", "1", "float")
    assert (float(about["PhysicalSizeX"]), float(about["PhysicalSizeY"])) == (55.5, 55.5)
    assert (about["PhysicalSizeXUnit"], about["PhysicalSizeYUnit"]) == ("µm", "µm")
    image = tifffile.imread(out)
    assert (image[0, 0], image[1, 3], image[4, 2]) == (1, 2, 3)
    with tifffile.TiffFile(out) as tiff:
        page = tiff.pages.first
        assert page.is_tiled
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert len(tiff.series[0].levels) == 1
        assert page.tags["XResolution"].value[1] / page.tags["XResolution"].value[0] == pytest.approx(55.5e-4)
    assert [p.name for p in out.parent.iterdir()] == ["g.ome.tif"]


def test_large_ones_have_a_pyramid_that_skips_what_is_missing(out):
    places = [[0, 0], [1, 0], [1, 1], [2300, 3], [5, 2400]]
    write_heatmap([1.0, 2.0, 6.0, 4.0, 5.0], places, stride_um=8.0, gene="g", path=out)
    with tifffile.TiffFile(out) as tiff:
        full, half = tiff.series[0].levels
        assert (full.shape, half.shape) == ((2401, 2301), (1201, 1151))
        small = half.asarray()
    assert (small[0, 0], small[1, 1150], small[1200, 2]) == (3, 4, 5)
    assert np.isfinite(small).sum() == 3
    assert pixels_of(out)[0]["SizeX"] == "2301"


@pytest.mark.parametrize(
    ("values", "places", "found"),
    [
        ([1.0, 2.0], [[0, 0]], r"found shapes \(1, 2\) and \(2,\)"),
        ([], np.empty((0, 2)), r"found shapes"),
        ([1.0], [[0.5, 0]], r"found \[0.5, 0.0\]"),
        ([1.0], [[-1, 0]], r"found \[-1, 0\]"),
        ([1.0, 2.0], [[3, 3], [3, 3]], "found places with several"),
    ],
)
def test_what_is_no_grid_is_refused(out, values, places, found):
    with pytest.raises(InputError, match=found):
        write_heatmap(values, places, stride_um=1.0, gene="g", path=out)
    assert not out.parent.exists()


def test_equal_images_are_equal_files_and_others_have_another_name(out):
    def written(gene, value):
        write_heatmap([value, 2.0], [[0, 0], [1, 1]], stride_um=50, gene=gene, path=out)
        with tifffile.TiffFile(out) as tiff:
            return out.read_bytes(), ET.fromstring(tiff.ome_metadata.encode()).attrib["UUID"]

    assert written("A", 1.0) == written("A", 1.0)
    assert len({written(gene, value)[1] for gene in "AB" for value in (1.0, 1.5)}) == 4
