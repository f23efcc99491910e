"""What `write_spatialdata` wrote, read back by spatialdata itself."""

import sys
import warnings

import numpy as np
import pytest
import shapely

from made_prediction import UNREADABLE, corner_slide, made_prediction
from mclstexp.core.errors import InputError
from mclstexp.io.slides import open_slide
from mclstexp.whole_slide.pictures import spatial_entry
from mclstexp.whole_slide.spatialdata import write_spatialdata

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
SIZE_PX = (3001, 1400)


@pytest.fixture(scope="module")
def package():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("spatialdata", reason="the extra mclstexp[spatialdata] is not installed")


@pytest.fixture(scope="module")
def slide():
    return corner_slide(SIZE_PX, id="CMU 1/é (a)")


@pytest.fixture(scope="module")
def predicted(slide):
    predicted = made_prediction(slide, stride_um=224.0)
    predicted.uns["spatial"] = {slide.id: spatial_entry(slide, spot_px=28.0)}
    return predicted


@pytest.fixture(scope="module")
def store(package, slide, predicted, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "p.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_spatialdata(predicted, slide, path)
        assert [p.name for p in path.parent.iterdir()] == ["p.zarr"]
        return package.read_zarr(path)


def test_elements_have_plain_names(store):
    assert list(store.images) == ["CMU_1____a__thumbnail"]
    assert sorted(store.shapes) == ["tiles", "tissue"]
    assert list(store.tables) == ["table"]


def test_the_table_is_the_prediction(store, predicted):
    table = store.tables["table"]
    np.testing.assert_array_equal(table.X, predicted.X)
    assert table.X.dtype == np.float32
    assert table.obs_names.tolist() == predicted.obs_names.tolist()
    assert table.var_names.tolist() == predicted.var_names.tolist()
    np.testing.assert_array_equal(table.obsm["spatial"], predicted.obsm["spatial"])
    assert table.obs["tissue"].tolist() == predicted.obs["tissue"].tolist()
    assert table.uns["mclstexp"]["tissue"] == predicted.uns["mclstexp"]["tissue"]
    assert {"region", "tile"}.isdisjoint(predicted.obs)
    assert "spatialdata_attrs" not in predicted.uns


def test_every_row_annotates_its_square(package, store, predicted):
    squares, table = package.join_spatialelement_table(
        sdata=store, spatial_element_names="tiles", table_name="table", how="left", match_rows="left"
    )
    squares = squares["tiles"]
    assert squares.index.tolist() == table.obs["tile"].tolist() == predicted.obs_names.tolist()
    bounds = squares.geometry.bounds.to_numpy()
    np.testing.assert_allclose((bounds[:, :2] + bounds[:, 2:]) / 2, predicted.obsm["spatial"])
    np.testing.assert_allclose(bounds[:, 2:] - bounds[:, :2], 28.0)


def test_tissue_keeps_names_and_holes(store):
    tissue = store.shapes["tissue"]
    assert tissue["name"].tolist() == ["1", "left, lower"]
    assert [len(p.interiors) for p in tissue.geometry] == [1, 0]
    assert tissue.geometry.iloc[1].bounds == pytest.approx((0.02 * 3001, 0.55 * 1400, 0.25 * 3001, 0.9 * 1400))


def test_thumbnail_and_tiles_meet_in_level_0_pixels(package, store):
    from spatialdata.transformations import get_transformation

    image = next(iter(store.images.values()))
    assert image.shape == (3, 933, 2000)
    matrix = get_transformation(image, "global").to_affine_matrix(("x", "y"), ("x", "y"))
    # corner to corner: the far edge of the last pixel is the far edge of the slide
    np.testing.assert_allclose(matrix @ [2000, 933, 1], [*SIZE_PX, 1])
    assert image.coords["c"].values.tolist() == ["r", "g", "b"]
    dark = np.argwhere(image.values[0] < 150).max(axis=0)[::-1] + 1
    assert np.abs((matrix @ [*dark, 1])[:2] - [SIZE_PX[0] // 3, SIZE_PX[1] // 3]).max() < 3
    box = package.bounding_box_query(
        store, axes=("x", "y"), min_coordinate=[100, 770], max_coordinate=[400, 1000], target_coordinate_system="global"
    )
    assert set(box.tables["table"].obs["tissue"]) == {"left, lower"}
    assert np.abs(np.array(next(iter(box.images.values())).shape[1:]) - np.array([230, 300]) / 3001 * 2000).max() < 2


def test_an_unreadable_tile_is_there_without_numbers(store):
    assert np.isnan(store.tables["table"][UNREADABLE].X).all()


def test_the_slide_is_named_and_not_copied(slide, store, predicted, package, tmp_path):
    about = store.attrs["mclstexp"]
    assert (about["slide"], about["slide_mpp"], tuple(about["slide_size_px"])) == (slide.id, 4.0, SIZE_PX)
    from PIL import Image

    Image.fromarray(slide.thumbnail(500)).save(tmp_path / "s.png")
    other = open_slide(tmp_path / "s.png", mpp=24.0, id="s")
    made = made_prediction(other, stride_um=500.0)
    made.uns["mclstexp"]["tissue"] = ""
    write_spatialdata(made, other, tmp_path / "s.zarr")
    write_spatialdata(made, other, tmp_path / "s.zarr")  # replaces
    again = package.read_zarr(tmp_path / "s.zarr")
    assert again.attrs["mclstexp"]["slide_path"] == str(tmp_path / "s.png")
    assert list(again.shapes) == ["tiles"]


def test_a_prediction_backed_by_its_file_is_taken(package, predicted, slide, tmp_path):
    import anndata as ad

    plain = predicted.copy()
    del plain.uns["spatial"]  # its key has a slash
    plain.write_h5ad(tmp_path / "p.h5ad")
    backed = ad.read_h5ad(tmp_path / "p.h5ad", backed="r")
    write_spatialdata(backed, slide, tmp_path / "p.zarr")
    backed.file.close()
    np.testing.assert_array_equal(package.read_zarr(tmp_path / "p.zarr").tables["table"].X, predicted.X)


def test_absent_package_is_named(monkeypatch, tmp_path, predicted, slide):
    monkeypatch.setitem(sys.modules, "spatialdata", None)
    with pytest.raises(InputError, match=r"needs the package spatialdata, .* install 'mclstexp\[spatialdata\]'"):
        write_spatialdata(predicted, slide, tmp_path / "p.zarr")
    assert not list(tmp_path.iterdir())


def test_squares_are_valid_polygons(store):
    assert shapely.is_valid(store.shapes["tiles"].geometry.to_numpy()).all()
