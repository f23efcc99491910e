"""One slide from file to file, and what a user can get wrong."""

import json
import os
import signal
import subprocess
import sys

import anndata as ad
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import mclstexp as mx
from mclstexp.core.tiles import TileSpec
from mclstexp.io.predictions import read_prediction
from mclstexp.whole_slide.one import predict_slide, predict_slide_file
from mclstexp.whole_slide.settings import SlideSettings
from processes import started
from small_methods import SPEC, small_methods, small_sections

ENCODER = "random:test_efficientnet"


@pytest.fixture(scope="module")
def sections():
    return small_sections()


@pytest.fixture(scope="module")
def model(sections):
    return mx.create("knn", encoder=ENCODER, k=5).fit(sections[:-1])


@pytest.fixture(scope="module")
def run(model, tmp_path_factory):
    return mx.save_model(model, tmp_path_factory.mktemp("models") / "run")


@pytest.fixture(scope="module")
def slide(sections, tmp_path_factory):
    """The last section's picture as a tiled TIFF that says its mpp."""
    return write_tiff(tmp_path_factory.mktemp("slides") / "biopsy.tif", picture(sections[-1].tiles.slide), mpp=4.0)


def picture(slide):
    return slide.thumbnail(max(slide.size_px))


def write_tiff(path, pixels, *, mpp):
    resolution = (1e4 / mpp, 1e4 / mpp)
    tifffile.imwrite(
        path, pixels, tile=(64, 64), photometric="rgb", resolution=resolution, resolutionunit="CENTIMETER",
        compression="zlib",
    )  # fmt: skip
    return path


def write_ome_pyramid(path, levels, *, mpp):
    """Write levels, largest first, as a tiled OME-TIFF with a pyramid in SubIFDs."""
    with tifffile.TiffWriter(path, ome=True) as file:
        common = {"tile": (256, 256), "photometric": "rgb", "compression": "zlib"}
        about = {"axes": "YXS", "PhysicalSizeX": mpp, "PhysicalSizeY": mpp}
        file.write(levels[0], subifds=len(levels) - 1, metadata=about, **common)
        for level in levels[1:]:
            file.write(level, subfiletype=1, **common)
    return path


def test_what_is_written(model, slide, tmp_path):
    genes = model.genes_[:2]
    settings = SlideSettings(stride_um=64, gene=genes[0], heatmaps=genes)
    done = predict_slide_file(model, slide, out=tmp_path / "biopsy.h5ad", settings=settings)
    names = ["biopsy.h5ad", "biopsy.png", "biopsy.tissue.geojson", *(f"biopsy.{gene}.ome.tif" for gene in genes)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)

    predicted = read_prediction(tmp_path / "biopsy.h5ad")
    opened = mx.open_slide(slide)
    assert predicted.shape == (done.n_tiles, len(model.genes_))
    direct = model.predict(mx.Tiles(opened, predicted.obsm["spatial"], predicted.obs_names.to_numpy(str), spec=SPEC))
    assert_allclose(predicted.X, direct.X, atol=1e-5)
    grid = predicted.obs[["array_col", "array_row"]].to_numpy()
    assert_allclose(predicted.obsm["spatial"] * opened.mpp, (grid + 0.5) * 64)
    assert list(predicted.obs) == [
        "section", "array_col", "array_row", "tissue", "unreadable", "reference_distance",
    ]  # fmt: skip
    assert set(predicted.obs["section"]) == {"biopsy"}
    assert (predicted.obs["reference_distance"] >= 0).all()

    made = predicted.uns["mclstexp"]
    assert made["method"] == "knn"
    assert (made["stride_um"], made["tile_size_um"], made["tile_side_px"]) == (64, 128, 32)
    assert "upsampled" not in made
    written = json.loads((tmp_path / "biopsy.tissue.geojson").read_text())
    assert json.loads(made["tissue"])["features"] == written["features"]
    image = predicted.uns["spatial"]["biopsy"]
    assert_allclose(image["scalefactors"]["tissue_hires_scalef"] * opened.size_px[0], image["images"]["hires"].shape[1])

    heat = tifffile.imread(tmp_path / f"biopsy.{genes[1]}.ome.tif")
    assert_array_equal(heat[grid[:, 1], grid[:, 0]], predicted.X[:, 1])


def test_in_memory_it_is_the_same(model, slide, tmp_path):
    predict_slide_file(model, slide, out=tmp_path / "p.h5ad")
    written, held = read_prediction(tmp_path / "p.h5ad"), mx.predict_slide(model, slide)
    assert_array_equal(written.X, held.X)
    assert_array_equal(written.obsm["spatial"], held.obsm["spatial"])
    assert list(written.obs_names) == list(held.obs_names)


@pytest.mark.parametrize("name", ["knn", "mclstexp"])
def test_at_the_measured_spots_it_says_what_the_section_path_says(name, sections, slide):
    small = next(method for method in small_methods() if method.name == name)
    model = small.create().fit(sections[:-1])
    tiles = sections[-1].tiles
    predicted = predict_slide(model, slide, places=tiles.xy)
    assert_array_equal(predicted.obsm["spatial"], tiles.xy)
    assert_allclose(predicted.X, model.predict(tiles).X, atol=1e-5)


def test_a_dicom_slide_says_what_the_tiff_says(model, slide, tmp_path):
    pytest.importorskip("pydicom", reason="pydicom writes the slide")
    from dicom_files import write_dicom

    write_dicom(tmp_path / "biopsy.dcm", tifffile.imread(slide), mpp=4.0)
    predict_slide_file(model, tmp_path / "biopsy.dcm", out=tmp_path / "p.h5ad")
    predicted, expected = read_prediction(tmp_path / "p.h5ad"), predict_slide(model, slide)
    assert_array_equal(predicted.obsm["spatial"], expected.obsm["spatial"])
    scale = expected.X.std()
    assert np.abs(predicted.X - expected.X).mean() < 0.5 * scale, "JPEG moves neighbours, not the map"


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["ridge", "mclstexp"])
def test_her2st_c6_as_a_pyramid_says_what_the_section_says(name, data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    read = mx.read_sections(data_dir / "her2st", format="her2st", sections=["C5", "C6"], spec=TileSpec(224, 0.5))
    (path,) = (data_dir / "her2st").glob("**/ST-imgs/C/C6/*.jpg")
    with Image.open(path) as image:
        full = np.asarray(image.convert("RGB"))
        levels = [full]
        for shrink in (2, 4, 8):  # as the JPEG's own decoder shrinks, so that both have the same levels
            with Image.open(path) as smaller:
                smaller.draft("RGB", (-(-image.width // shrink), -(-image.height // shrink)))
                levels.append(np.asarray(smaller.convert("RGB")))
    slide = write_ome_pyramid(tmp_path / "C6.ome.tif", levels, mpp=read[1].tiles.slide.mpp)
    options = {"symmetric": False, "epochs": 5, "k": 50, "sharpness": 1.0, "context_share": 0.5}
    model = mx.create(name, encoder="efficientnet_lite0", **(options if name == "mclstexp" else {})).fit(read[:1])
    settings = SlideSettings(allow_upsampling=True)
    predicted = predict_slide(model, slide, places=read[1].tiles.xy, settings=settings)
    assert_allclose(predicted.X, model.predict(read[1].tiles).X, atol=1e-5)
    assert predicted.uns["mclstexp"]["upsampled"] == pytest.approx(read[1].tiles.slide.mpp / 0.5)


@pytest.mark.data
@pytest.mark.slow
def test_a_real_slide_says_what_a_section_on_it_says(data_dir, tmp_path):
    path = data_dir / "wsi" / "CMU-1-Small-Region.svs"
    spec = TileSpec(224, 0.5)
    rng = np.random.default_rng(0)
    xy = np.column_stack([rng.uniform(300, 1900, 40), rng.uniform(300, 2600, 40)])
    counts = ad.AnnData(rng.poisson(3.0, (40, 12)).astype(np.float32), obsm={"spatial": xy})
    counts.write_h5ad(tmp_path / "measured.h5ad")
    (section,) = mx.read_sections(tmp_path / "measured.h5ad", image=path, spec=spec)
    for name, options in (("ridge", {}), ("knn", {"k": 3})):
        model = mx.create(name, encoder="efficientnet_lite0", **options).fit([section])
        predicted = predict_slide(model, path, places=xy)
        assert_allclose(predicted.X, model.predict(section.tiles).X, atol=1e-5)


def damaged(tmp_path, slide, run):
    """Return what a user can get wrong: name, arguments, and what is said."""
    blank = write_tiff(tmp_path / "blank.tif", np.full((400, 400, 3), 244, np.uint8), mpp=4.0)
    pixels = tifffile.imread(slide)
    coarse = write_tiff(tmp_path / "coarse.tif", pixels, mpp=8.0)
    Image.fromarray(pixels).save(tmp_path / "no_mpp.png")
    (tmp_path / "notes.txt").write_text("no slide")
    whole = slide.read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    ring = [[9e5, 9e5], [9.1e5, 9e5], [9.1e5, 9.1e5], [9e5, 9e5]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    far = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": geometry}]}
    (tmp_path / "far.geojson").write_text(json.dumps(far))
    broken, newer = tmp_path / "broken", tmp_path / "newer"
    for folder in (broken, newer):
        folder.mkdir()
        for name in ("model.json", "weights.safetensors"):
            (folder / name).write_bytes((run / name).read_bytes())
    (broken / "weights.safetensors").write_bytes(b"cut")
    about = json.loads((newer / "model.json").read_text())
    (newer / "model.json").write_text(json.dumps({**about, "format": 99}))
    (tmp_path / "file").write_text("in the way")
    return {
        "not a slide": (run, tmp_path / "notes.txt", (), "an image expected"),
        "absent": (run, tmp_path / "absent.svs", (), "an image file expected"),
        "truncated": (run, tmp_path / "cut.tif", (), "found it damaged or cut short"),
        "no mpp": (run, tmp_path / "no_mpp.png", (), "mpp unknown"),
        "no tissue": (run, blank, (), "stained tissue"),
        "too coarse": (run, coarse, (), "a slide of at most 4 µm per pixel"),
        "model damaged": (broken, slide, (), "copy the model again"),
        "model newer": (newer, slide, (), "install a newer mclstexp"),
        "no model": (tmp_path / "nowhere", slide, (), "a saved model"),
        "mask elsewhere": (run, slide, ("--mask", tmp_path / "far.geojson"), "900000"),
        "unknown gene": (run, slide, ("--gene", "NONE"), "found 'NONE'"),
        "stride": (run, slide, ("--stride-um", "-3"), "stride_um must be a positive number"),
        "place taken": (run, slide, ("--out", tmp_path / "file" / "p.h5ad"), "file"),
        "flags of sections": (run, slide, ("--patients", "a=b"), "found whole slides"),
    }


def test_bad_input_is_one_sentence_and_leaves_nothing(said, slide, run, tmp_path):
    (tmp_path / "in").mkdir()
    for name, (model, source, flags, expected) in damaged(tmp_path / "in", slide, run).items():
        before = sorted(tmp_path.rglob("*"))
        out = () if "--out" in flags else ("--out", tmp_path / "out" / "p.h5ad")
        code, text, errors = said("predict", model, source, *out, *flags)
        assert (code, text) == (2, ""), name
        assert expected in errors, name
        assert len(errors.strip().splitlines()) == 1, name
        assert errors.startswith("mclstexp: "), name
        after = [path for path in sorted(tmp_path.rglob("*")) if path not in before and path != tmp_path / "out"]
        assert after == [], name


def test_a_coarse_slide_is_stamped_where_it_is_allowed(said, slide, run, tmp_path):
    coarse = write_tiff(tmp_path / "coarse.tif", tifffile.imread(slide), mpp=8.0)
    code, _, _ = said("predict", run, coarse, "--out", tmp_path / "p.h5ad", "--allow-upsampling")
    assert code == 0
    assert read_prediction(tmp_path / "p.h5ad").uns["mclstexp"]["upsampled"] == pytest.approx(2.0)


def test_a_place_that_is_taken_is_kept(said, slide, run, tmp_path):
    (tmp_path / "p.h5ad").write_text("an earlier one")
    code, _, errors = said("predict", run, slide, "--out", tmp_path / "p.h5ad")
    assert (code, (tmp_path / "p.h5ad").read_text()) == (2, "an earlier one")
    assert "choose another or give --overwrite" in errors
    assert said("predict", run, slide, "--out", tmp_path / "p.h5ad", "--overwrite")[0] == 0


def test_a_slide_is_never_replaced_by_its_picture(said, slide, run, tmp_path):
    Image.fromarray(tifffile.imread(slide)).save(tmp_path / "biopsy.png")
    before = (tmp_path / "biopsy.png").read_bytes()
    words = ("predict", run, tmp_path / "biopsy.png", "--out", tmp_path / "biopsy.h5ad", "--slide-mpp", "4")
    code, _, errors = said(*words, "--overwrite")
    assert (code, (tmp_path / "biopsy.png").read_bytes()) == (2, before)
    assert "would replace" in errors


def test_a_mask_of_ones_own(said, slide, run, tmp_path):
    width, height = mx.open_slide(slide).size_px
    ring = [[0, 0], [width / 2, 0], [width / 2, height], [0, height], [0, 0]]
    feature = {
        "type": "Feature", "properties": {"name": "left half"}, "geometry": {"type": "Polygon", "coordinates": [ring]},
    }  # fmt: skip
    (tmp_path / "m.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    code, _, _ = said("predict", run, slide, "--out", tmp_path / "p.h5ad", "--mask", tmp_path / "m.geojson")
    assert code == 0
    predicted = read_prediction(tmp_path / "p.h5ad")
    assert set(predicted.obs["tissue"]) == {"left half"}
    assert predicted.obsm["spatial"][:, 0].max() < width / 2


KILLED = """
import sys
import mclstexp as mx
from mclstexp.whole_slide import stream
from mclstexp.whole_slide.one import predict_slide_file
stream.BLOCK_TILES = {"cpu": 4, "cuda": 4}
report = lambda done, total: print(done, total, flush=True)
from pathlib import Path
predict_slide_file(mx.load_model(sys.argv[1]), sys.argv[2], out=Path(sys.argv[3]), on_progress=report)
"""


@pytest.mark.slow
def test_a_killed_run_loses_nothing(model, run, slide, tmp_path, monkeypatch):
    command = [sys.executable, "-c", KILLED, str(run), str(slide), str(tmp_path / "p.h5ad")]
    with started(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            done, total = map(int, line.split())
            if done >= total / 2:
                os.kill(process.pid, signal.SIGKILL)
                break
    assert not (tmp_path / "p.h5ad").exists()
    monkeypatch.setattr("mclstexp.whole_slide.stream.BLOCK_TILES", {"cpu": 4, "cuda": 4})
    again = predict_slide_file(mx.load_model(run), slide, out=tmp_path / "p.h5ad")
    assert again.n_resumed >= done
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert_array_equal(read_prediction(tmp_path / "p.h5ad").X, predict_slide(model, slide).X)
