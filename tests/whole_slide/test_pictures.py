"""The thumbnail and the PNG of a predicted slide: what is behind them, and that they are quick."""

import numpy as np
import pytest
import shapely
from PIL import Image

from made_prediction import UNREADABLE, corner_slide, made_prediction
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.whole_slide.pictures import (
    default_gene,
    draw_prediction,
    most_varying,
    plot_beside_slide,
    spatial_entry,
    tile_side_px,
    tissue_outline,
)


@pytest.fixture(scope="module")
def slide():
    return corner_slide()


@pytest.fixture
def predicted(slide):
    return made_prediction(slide)


def test_the_entry_brings_tiles_to_pixels_of_the_thumbnail():
    slide = corner_slide((3001, 1800))
    entry = spatial_entry(slide, spot_px=28.0)
    image, scale = entry["images"]["hires"], entry["scalefactors"]["tissue_hires_scalef"]
    assert image.dtype == np.uint8
    assert max(image.shape) == 1000
    dark = np.argwhere(image[..., 0] < 150).max(axis=0) + 0.5
    assert np.abs(dark / scale - [600, 1000]).max() < 2 / scale
    assert entry["scalefactors"]["spot_diameter_fullres"] == 28.0


def test_a_small_slide_is_its_own_thumbnail(slide):
    assert spatial_entry(slide, spot_px=1.0)["scalefactors"]["tissue_hires_scalef"] == 1.0


def test_the_most_varying_gene_is_that_of_largest_variance():
    rng = np.random.default_rng(0)
    values = rng.normal([1e4, 0, 5], [1, 3, 2], (1000, 3)).astype(np.float32)
    values[7] = np.nan
    assert most_varying(np.array_split(values, 7)) == np.nanvar(values.astype(float), axis=0).argmax() == 1
    small = values.astype(float) * [1, 1e-1, 1e-1]  # sums of squares would lose it
    assert most_varying(np.array_split(small, 3)) == 0
    assert most_varying([np.full((3, 4), np.nan)]) == 0


def test_an_unreadable_tile_does_not_choose_the_gene(predicted):
    assert np.isnan(predicted[UNREADABLE].X).all()
    assert default_gene(predicted) == "COLUMN"


def test_tiles_lie_at_their_places_under_the_outline(slide, predicted):
    said = predicted.uns["mclstexp"]
    xy, values = predicted.obsm["spatial"] * slide.mpp, predicted.X[:, 1]
    figure = plot_beside_slide(slide, xy, values, side_um=112.0, tissue_um=tissue_outline(said, slide.mpp))
    plain, mapped = figure.axes[:2]
    squares = mapped.collections[0]
    centres = [path.get_extents().get_points().mean(axis=0) for path in squares.get_paths()]
    np.testing.assert_allclose(centres, xy)
    np.testing.assert_array_equal(np.ma.filled(squares.get_array(), np.nan), values)
    assert [s.get_paths()[0].get_extents().width for s in [squares]] == pytest.approx([112])
    for ax in (plain, mapped):
        (outline,) = [patch for patch in ax.patches if patch.get_gid() == "tissue"]
        box = outline.get_path().get_extents()
        assert (box.x0, box.y0, box.y1) == pytest.approx((0.02 * 3600, 0.1 * 2400, 0.9 * 2400))
        assert any(line.get_gid() == "scale_bar" for line in ax.lines)


def test_overlapping_tiles_are_drawn_as_wide_as_their_stride():
    assert tile_side_px({"tile_side_px": 56.0, "stride_um": 50.0, "slide_mpp": 2.0}) == 25
    assert tile_side_px({"tile_side_px": 56.0, "stride_um": 500.0, "slide_mpp": 2.0}) == 56


def test_the_outline_comes_from_geojson_with_its_hole(predicted):
    outline = tissue_outline(predicted.uns["mclstexp"], 2.0)
    assert outline.bounds == pytest.approx((36, 120, 2 * (540 + 240), 1080))
    assert not shapely.contains_xy(outline, 1080, 600).any()
    assert tissue_outline({}) is None


def test_the_file_is_a_picture_twice_as_wide(slide, predicted, tmp_path):
    path = draw_prediction(predicted, slide, gene=None, out=tmp_path / "new" / "p.png")
    with Image.open(path) as image:
        assert image.width > 1300
        assert image.width > 2 * image.height
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    assert [p.name for p in path.parent.iterdir()] == ["p.png"]


def test_the_thumbnail_that_is_there_is_used(slide, predicted, tmp_path, monkeypatch):
    predicted.uns["spatial"] = {slide.id: spatial_entry(slide, spot_px=28.0)}
    monkeypatch.setattr(
        type(slide), "thumbnail", lambda self, n: self._array if n > 1000 else pytest.fail("read again")
    )
    draw_prediction(predicted, slide, gene="ROW", out=tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 100, "tissue and colours"


def test_a_gene_that_was_not_predicted_is_refused(slide, predicted, tmp_path):
    with pytest.raises(InputError, match=r"found 'NONE': choose one of COLUMN, ROW, CALM"):
        draw_prediction(predicted, slide, gene="NONE", out=tmp_path / "p.png")
    assert not list(tmp_path.iterdir())


def test_many_tiles_are_drawn_as_a_picture(slide):
    tiles = Tiles.grid(slide, spec=TileSpec(4, 4.0))
    assert len(tiles) > 30_000
    columns, rows = tiles.array_xy.T
    figure = plot_beside_slide(slide, tiles.xy_um, 1000 * rows + columns, side_um=16.0)
    raster = figure.axes[1].images[-1]
    assert raster.get_extent() == pytest.approx((0, 3600, 2400, 0))
    assert raster.get_array()[7, 3] == 7003
    assert not figure.axes[1].collections
