"""What the viewer shows: pictures that are the slide, layers that are the prediction, regions that are high."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from made_prediction import UNREADABLE, corner_slide, made_prediction
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.predictions import write_prediction
from mclstexp.io.slides import ArraySlide, open_slide
from mclstexp.report.viewer_data import SlideView
from mclstexp.report.viewer_peaks import Smoother
from mclstexp.report.viewer_tiles import TILE_PX, TilePyramid
from viewed_slide import named_prediction, write_slide


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_slide(tmp_path_factory.mktemp("view"))


@pytest.fixture(scope="module")
def view(folder):
    return SlideView(folder / "corner.png", folder / "corner.h5ad")


@pytest.mark.parametrize("size_px", [(900, 600), (512, 512), (513, 40), (1025, 2049), (30, 20)])
def test_pictures_are_what_the_slide_reads_there(size_px):
    x, y = np.meshgrid(np.linspace(20, 240, size_px[0]), np.linspace(20, 240, size_px[1]))
    array = np.stack([x, y, 0 * x + 128], axis=-1).astype(np.uint8)
    slide = ArraySlide(array, mpp=0.5, id="ramp")
    pyramid = TilePyramid(slide)
    assert max(size_px) / 2**pyramid.max_level <= TILE_PX
    for level in range(pyramid.max_level + 1):
        scale = 2 ** (pyramid.max_level - level)
        n_columns, n_rows = (-(-side // (TILE_PX * scale)) for side in size_px)
        for column, row in {(0, 0), (n_columns - 1, n_rows - 1)}:
            with Image.open(BytesIO(pyramid.jpeg(level, column, row))) as picture:
                assert picture.format == "JPEG"
                width, height = picture.size
                shown = np.asarray(picture, float)
            covered = np.minimum(np.array(size_px) / scale - TILE_PX * np.array([column, row]), TILE_PX)
            assert np.abs(covered - (width, height)).max() <= (0.5 if covered.min() >= 0.5 else 1)
            centre = (np.array([column, row]) + 0.5) * TILE_PX * scale
            read = slide.read(centre, TileSpec(TILE_PX, 0.5 * scale))[:height, :width].astype(float)
            assert np.abs(read - shown).mean() < 2, "as far apart as JPEG makes them"
        with pytest.raises(InputError, match="off the slide"):
            pyramid.tile_size_px(level, n_columns, 0)
    with pytest.raises(InputError, match="a level from 0 to"):
        pyramid.tile_size_px(pyramid.max_level + 1, 0, 0)


def test_pictures_lie_where_they_should(view):
    """Corner (0, 0) of the slide is dark; put together, the pictures are the slide."""
    whole = np.zeros((600, 900, 3), np.uint8)
    for column, row in np.ndindex(2, 2):
        with Image.open(BytesIO(view.pyramid.jpeg(1, column, row))) as picture:
            x, y = TILE_PX * column, TILE_PX * row
            whole[y : y + picture.height, x : x + picture.width] = np.asarray(picture)
    assert np.abs(whole.astype(int) - corner_slide().thumbnail(900)).mean() < 2
    with Image.open(BytesIO(view.pyramid.jpeg(0, 0, 0))) as picture:
        assert picture.size == (450, 300)
        assert np.asarray(picture)[2:95, 2:145].max() < 130


def test_few_pictures_are_kept(view, monkeypatch):
    monkeypatch.setattr("mclstexp.report.viewer_tiles._CACHE_BYTES", 1)
    pyramid = TilePyramid(view.slide)
    assert pyramid.jpeg(1, 0, 0) == pyramid.jpeg(1, 0, 0)
    assert not pyramid._kept


def test_an_unreadable_tile_has_no_value(view):
    at = made_prediction().obs_names.get_loc(UNREADABLE)
    assert np.isnan(view.values(0)[at])
    assert np.isfinite(np.delete(view.values(0), at)).all()


def test_the_highest_regions_are_the_hills():
    x, y = (axis.ravel().astype(float) for axis in np.meshgrid(np.arange(60), np.arange(40)))
    hills = [(10, 10, 3.0), (45, 8, 2.0), (30, 30, 1.0)]
    values = sum(height * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 32) for cx, cy, height in hills)
    values[np.flatnonzero((x == 55) & (y == 35))] = 9.0  # one tile alone is no hill of that height
    values[np.flatnonzero((x == 10) & (y == 10))] = np.nan
    found = Smoother(np.column_stack([x, y]) * 25, 25.0).peaks(values.astype(np.float32))
    near = [
        min(range(3), key=lambda h: np.hypot(p.xy[0] / 25 - hills[h][0], p.xy[1] / 25 - hills[h][1])) for p in found
    ]
    assert near[:2] == [0, 1]
    assert [p.value for p in found] == sorted((p.value for p in found), reverse=True)
    assert np.hypot(found[0].xy[0] / 25 - 10, found[0].xy[1] / 25 - 10) < 1.5, "beside the tile without a value"
    assert found[0].value < 3
    apart = np.hypot(*(np.array([p.xy for p in found])[:, None] - [p.xy for p in found]).T)
    assert (apart + 1e9 * np.eye(len(found))).min() >= 150


def test_a_map_without_hills_has_no_regions():
    xy = np.column_stack([np.arange(50.0), np.zeros(50)])
    for values in (np.full(50, 2.0), np.full(50, np.nan), np.where(np.arange(50) < 9, np.nan, -1.0)):
        assert Smoother(xy, 1.0).peaks(values.astype(np.float32)) == []
    assert len(Smoother(xy, 1.0).peaks(np.sin(xy[:, 0]).astype(np.float32), most=2)) == 2
    assert len(Smoother(xy[:1], 1.0).peaks(np.ones(1, np.float32))) == 0


def test_smoothing_is_a_mean_over_neighbours_that_have_a_value():
    xy = np.array([[0.0, 0], [1, 0], [2, 0], [40, 0]])
    smooth, weight = Smoother(xy, 1.0).smooth(np.array([1.0, 3.0, np.nan, 5.0], np.float32))
    beside = np.exp(-0.5 / 1.5**2)
    assert smooth[0] == pytest.approx((1 + 3 * beside) / (1 + beside))
    assert smooth[3] == 5
    assert np.isnan(smooth[2])
    assert weight == pytest.approx([1 + beside, 1 + beside, beside + np.exp(-2 / 1.5**2), 1])


def test_a_gene_can_be_shown_first(folder):
    assert SlideView(folder / "corner.png", folder / "corner.h5ad", gene="CALM").describe()["first"] == 2


def test_what_a_model_of_patients_says_of_tiles_opens_on_its_risk_and_says_what_it_is(folder, tmp_path):
    said = named_prediction(folder, says=["It adds up.", "No cause."], question="outcome")
    said.uns["mclstexp"].pop("space", None)
    said.var["unit"] = ["log hazard", *["how likely it is one"] * (said.n_vars - 1)]
    described = SlideView(folder / "corner.png", write_prediction(said, tmp_path / "tiles.h5ad")).describe()
    assert (described["first"], described["says"]) == (0, "It adds up. No cause.")
    assert described["units"] == list(said.var["unit"])


def test_a_prediction_of_a_measured_section_is_shown(folder, tmp_path):
    predicted = made_prediction()
    said = predicted.uns["mclstexp"]
    predicted.uns["mclstexp"] = {
        k: v for k, v in said.items() if k in ("method", "space", "spec", "slide", "slide_mpp")
    }
    predicted.obs = predicted.obs[["section"]]
    write_prediction(predicted, tmp_path / "r1.h5ad")
    described = SlideView(folder / "corner.png", tmp_path / "r1.h5ad").describe()
    assert (described["side_px"], described["outline"], described["regions"]) == (28.0, [], [])
    assert described["layers"] == described["layers"][: described["n_genes"]]


def test_a_renamed_slide_is_known_by_its_content(folder, tmp_path):
    (tmp_path / "renamed.png").write_bytes((folder / "corner.png").read_bytes())
    assert SlideView(tmp_path / "renamed.png", folder / "corner.h5ad").slide.id == "renamed"
    image = corner_slide().thumbnail(900).copy()
    image[5, 5] = 0
    Image.fromarray(image).save(tmp_path / "other.png")
    with pytest.raises(InputError, match=r"the slide that was predicted, corner.png, expected at .*other.png"):
        SlideView(tmp_path / "other.png", folder / "corner.h5ad")


def test_a_slide_of_another_size_is_refused(folder, tmp_path):
    Image.fromarray(corner_slide().thumbnail(900)[:500]).save(tmp_path / "corner.png")
    with pytest.raises(InputError, match="found 900 by 500 pixels, where corner has 900 by 600: give that slide"):
        SlideView(tmp_path / "corner.png", folder / "corner.h5ad")


def test_what_is_no_prediction_is_refused(folder, tmp_path):
    import anndata as ad

    slide = folder / "corner.png"
    predicted, path = named_prediction(folder), tmp_path / "changed.h5ad"
    for wrong, sentence in (
        (folder / "nowhere.h5ad", "expected at .*nowhere.h5ad, found no such file"),
        (slide, "a prediction as .h5ad expected, found .*corner.png: give the slide first"),
        (tmp_path, "a prediction as .h5ad expected"),
    ):
        with pytest.raises(InputError, match=sentence):
            SlideView(slide, wrong)
    (tmp_path / "text.h5ad").write_text("no HDF5")
    with pytest.raises(InputError, match="found a file that is damaged or of another kind"):
        SlideView(slide, tmp_path / "text.h5ad")
    ad.AnnData(np.zeros((2, 2), np.float32)).write_h5ad(path)
    with pytest.raises(InputError, match="found a part missing"):
        SlideView(slide, path)
    for change, sentence in (
        (lambda p: p.obsm.pop("spatial"), 'a finite place for each tile in obsm."spatial".'),
        (lambda p: p.obsm.__setitem__("spatial", p.obsm["spatial"] + np.nan), "a finite place"),
        (lambda p: p.obsm.__setitem__("spatial", p.obsm["spatial"] + 500), "tiles on the slide .* expected, found"),
        (lambda p: p.uns["mclstexp"].pop("slide_mpp"), "a part missing .slide_mpp."),
    ):
        predicted, path = named_prediction(folder), tmp_path / "changed.h5ad"
        change(predicted)
        write_prediction(predicted, path)
        with pytest.raises(InputError, match=sentence):
            SlideView(slide, path)
    with pytest.raises(InputError, match="an image expected"):
        SlideView(folder / "corner.h5ad", folder / "corner.h5ad")
    with pytest.raises(InputError, match="a gene of the prediction expected, found 'ROWS': choose one of COLUMN, ROW"):
        SlideView(slide, folder / "corner.h5ad", gene="ROWS")


def test_a_prediction_that_leads_to_other_files_is_refused(folder, tmp_path):
    """HDF5 can fetch parts from any file its author names; from a stranger's that would be the reader's own."""
    import h5py

    with h5py.File(tmp_path / "private.h5", "w") as private:
        private["X"] = np.zeros((3, 4), np.float32)
    (tmp_path / "private.bin").write_bytes(bytes(48))

    def link(file):
        file["X"] = h5py.ExternalLink(tmp_path / "private.h5", "X")

    def store(file):
        file.create_dataset("X", (3, 4), "<f4", external=[(str(tmp_path / "private.bin"), 0, 48)])

    def lay_over(file):
        layout = h5py.VirtualLayout((3, 4), "<f4")
        layout[:] = h5py.VirtualSource(tmp_path / "private.h5", "X", (3, 4))
        file.create_virtual_dataset("X", layout)

    for lead in (link, store, lay_over):
        path = tmp_path / f"{lead.__name__}.h5ad"
        path.write_bytes((folder / "corner.h5ad").read_bytes())
        with h5py.File(path, "r+") as file:
            del file["X"]
            lead(file)
        with pytest.raises(InputError, match="to read its X from another: do not trust it"):
            SlideView(folder / "corner.png", path)


def test_a_full_disk_is_said(folder, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(InputError, match=r"GB free in .* expected, found less .No space left on device.: set TMPDIR"):
        SlideView(folder / "corner.png", folder / "corner.h5ad")


def test_values_no_tissue_has_are_counted(view):
    assert view.describe()["most"] == pytest.approx(4, abs=1e-4), "log10(1 + 10,000)"
    column = made_prediction()[:, "COLUMN"].X
    assert view.peaks(0)["beyond"] == np.sum(column > np.log10(10_001)) > 0
    assert view.peaks(2)["beyond"] == 0
    assert view.peaks(4)["beyond"] == 0, "a distance has no such bound"


@pytest.mark.slow
@pytest.mark.data
def test_openslide_gives_many_threads_what_it_gives_one(data_dir):
    """Eight threads, each asking for every picture of the finest level in its own order."""
    slide = data_dir / "wsi" / "CMU-1-Small-Region.svs"
    places = [(3, column, row) for column in range(5) for row in range(6)]
    alone, together = TilePyramid(open_slide(slide)), TilePyramid(open_slide(slide))
    once = {place: alone.jpeg(*place) for place in places}
    order = [places[at] for seed in range(8) for at in np.random.default_rng(seed).permutation(len(places))]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda place: together._encode(*place), order))
    assert [place for place, picture in zip(order, found, strict=True) if picture != once[place]] == []
