import sys
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from mclstexp.core.doors import through
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io import spatialdata as reader
from mclstexp.io.read import read_sections
from mclstexp.io.slides import ArraySlide

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
XY = np.array([[60.0, 40.0], [140.0, 40.0], [100.0, 110.0], [30.0, 150.0]])
"""Centres in the common system, which has half as many units as the image has pixels."""
SQUARE = 2


@pytest.fixture(scope="module")
def package():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("spatialdata", reason="the extra mclstexp[spatialdata] is not installed")


def _picture():
    """(height, width, 3), dark with one bright square on spot `SQUARE`."""
    image = np.full((400, 360, 3), 40, np.uint8)
    x, y = (XY[SQUARE] * 2).astype(int)
    image[y - 16 : y + 16, x - 16 : x + 16] = 250
    return image


@pytest.fixture
def store(package, tmp_path):
    """Return a function that writes a store."""
    from spatialdata.models import Image2DModel, ShapesModel, TableModel
    from spatialdata.transformations import Identity, Scale

    def write(
        *,
        scale_factors=None,
        images=("full_image",),
        system="global",
        tables=("table",),
        second=None,
        instances=(3, 2, 1, 0),
        **obs,
    ):
        picture = np.moveaxis(_picture(), -1, 0)
        half = {system: Scale([0.5, 0.5], axes=("x", "y"))}
        ours = {"global": Identity()}
        if second is not None:  # another system, of spots and image each so many times as large
            half["second"] = Scale([0.5 * second[1]] * 2, axes=("x", "y"))
            ours["second"] = Scale([second[0]] * 2, axes=("x", "y"))
        elements = {
            name: Image2DModel.parse(picture, dims=("c", "y", "x"), transformations=half, scale_factors=scale_factors)
            for name in images
        }
        shapes = ShapesModel.parse(XY, geometry=0, radius=10.0, transformations=ours)
        # the table's order is not that of the shapes
        rows = pd.DataFrame(
            {"region": pd.Categorical(["spots"] * 4), "spot": list(instances), **obs}, index=["D", "C", "B", "A"]
        )
        counts = ad.AnnData(np.arange(8, dtype=np.int32).reshape(4, 2), obs=rows, var=pd.DataFrame(index=["g1", "g2"]))
        made = {}
        for number, name in enumerate(tables):  # the second table has twice the counts
            raised = ad.AnnData(counts.X * (number + 1), obs=rows.copy(), var=counts.var.copy())
            made[name] = TableModel.parse(raised, region="spots", region_key="region", instance_key="spot")
        path = tmp_path / "S1.zarr"
        package.SpatialData(images=elements, shapes={"spots": shapes}, tables=made).write(path)
        return path

    return write


@pytest.mark.parametrize("scale_factors", [None, [2, 2]], ids=["one level", "pyramid"])
def test_bright_square_lies_under_its_barcode(store, scale_factors):
    path = store(scale_factors=scale_factors)
    assert reader.looks_like_spatialdata(path)
    for spec in (TileSpec(16, 0.5), TileSpec(8, 2.0)):
        section = reader.read_spatialdata(path, spec=spec, mpp=0.5)
        bright = [section.tiles.ids[i] for i in range(4) if section.tiles.read(i).mean() > 200]
        assert bright == ["C"]
    assert section.tiles.xy.tolist() == (XY[::-1] * 2).tolist()
    assert (section.id, section.counts["C"].X.toarray()[0].tolist()) == ("S1", [2, 3])


def test_pixels_equal_those_of_the_array(store):
    slide = reader.read_spatialdata(store(), mpp=0.5).tiles.slide
    reference = ArraySlide(_picture(), mpp=0.5, id="S1")
    for spec in (TileSpec(16, 0.5), TileSpec(20, 1.7), TileSpec(30, 0.3)):
        for xy in ([200.0, 220.0], [5.5, 3.0], [355.0, 398.25], [-500.0, 10.0]):
            assert np.abs(slide.read(xy, spec).astype(int) - reference.read(xy, spec)).max() <= 1
    assert np.array_equal(slide.thumbnail(100), reference.thumbnail(100))
    assert slide.size_px == (360, 400)


def test_spots_beside_the_tissue_are_dropped_with_their_places(store):
    section = reader.read_spatialdata(store(in_tissue=[1, 0, 1, 1]), mpp=0.5)
    assert section.tiles.ids.tolist() == ["D", "B", "A"]
    assert section.tiles.xy.tolist() == [[60, 300], [280, 80], [120, 80]]


def test_what_is_ambiguous_or_absent_is_asked_for(store, tmp_path):
    path = store(images=("hires_image", "lowres_image"))
    with pytest.raises(InputError, match=r"S1: one expected among the store's images, found hires_image, lowres_image"):
        reader.read_spatialdata(path, mpp=0.5)
    with pytest.raises(
        InputError, match=r"S1: 'x' expected among the store's tables, found table: name one with table="
    ):
        reader.read_spatialdata(path, table="x")
    with pytest.raises(InputError, match=r"S1: mpp unknown"):
        reader.read_spatialdata(path, image="hires_image")
    with pytest.raises(InputError, match=r"a SpatialData store expected at .*none.zarr"):
        reader.read_spatialdata(tmp_path / "none.zarr")


def test_full_image_is_preferred(store):
    section = reader.read_spatialdata(store(images=("S_hires_image", "S_full_image")), mpp=0.5)
    assert len(section) == 4


def test_elements_that_do_not_meet_are_refused(store):
    with pytest.raises(InputError, match=r"a coordinate system that spots and the image share expected, found none"):
        reader.read_spatialdata(store(system="other"), mpp=0.5)


def test_systems_that_agree_are_read_by_either(store):
    path = store(second=(8.0, 8.0))
    assert reader.read_spatialdata(path, mpp=0.5).tiles.xy.tolist() == (XY[::-1] * 2).tolist()
    by_name = reader.read_spatialdata(path, mpp=0.5, coordinate_system="second")
    assert by_name.tiles.xy.tolist() == (XY[::-1] * 2).tolist()


def test_systems_that_disagree_are_chosen_by_name(store):
    path = store(second=(0.5, 1.0))
    with through("command"), pytest.raises(InputError) as refused:
        read_sections(path, mpp=0.5)
    assert "found spots 150 pixels apart between global, second: choose one with --coordinate-system" in str(
        refused.value
    )
    (section,) = read_sections(path, mpp=0.5, coordinate_system="second")
    assert section.tiles.xy.tolist() == XY[::-1].tolist()
    with pytest.raises(InputError, match=r"found global, second, not 'third': choose it with coordinate_system="):
        read_sections(path, mpp=0.5, coordinate_system="third")


def test_one_of_several_tables_is_chosen_by_name(store):
    path = store(tables=("raw", "twice"))
    with through("command"), pytest.raises(InputError, match=r"found raw, twice: name one with --table$"):
        read_sections(path, mpp=0.5)
    for name, factor in (("raw", 1), ("twice", 2)):
        (section,) = read_sections(path, mpp=0.5, table=name)
        assert section.counts["C"].X.toarray()[0].tolist() == [2 * factor, 3 * factor]


def test_a_row_without_a_shape_is_refused(store):
    with pytest.raises(InputError, match=r"a shape for every row of the table expected, found none in spots for 'A'"):
        reader.read_spatialdata(store(instances=(3, 2, 1, 9)), mpp=0.5)


def test_images_of_other_kinds_are_refused():
    with pytest.raises(InputError, match=r"an RGB image of 8 bits expected, found \(1, 4, 4\) uint16"):
        reader.ElementSlide([np.zeros((1, 4, 4), np.uint16)], mpp=1.0, id="s")


def test_fingerprint_follows_the_pixels():
    planes = np.moveaxis(_picture(), -1, 0).copy()
    first = reader.ElementSlide([planes], mpp=1.0, id="a").fingerprint()
    assert first == reader.ElementSlide([planes.copy()], mpp=2.0, id="b").fingerprint()
    planes[0, 399, 359] = 1
    assert first != reader.ElementSlide([planes], mpp=1.0, id="a").fingerprint()


def test_absent_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "spatialdata", None)
    with pytest.raises(InputError, match=r"needs the package spatialdata, .* install 'mclstexp\[spatialdata\]'"):
        reader.read_spatialdata(tmp_path / "S1.zarr")
