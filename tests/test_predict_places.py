"""Predicting needs image and places: counts are not looked at, and what lies beside tiles does not change them."""

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

import mclstexp as mx
import tenx_files as files
from mclstexp.api import holds_slides, predict_files
from mclstexp.core.errors import InputError
from mclstexp.evaluation.config import DataConfig
from mclstexp.io.predictions import read_prediction
from mclstexp.io.read import read_sections
from mclstexp.io.slides import SUFFIXES
from mclstexp.sight.views import embed_views
from small_methods import SPEC, small_sections

SIDE = SPEC.size_px


@pytest.fixture(scope="module")
def sections():
    return small_sections()


@pytest.fixture(scope="module")
def run(sections, tmp_path_factory):
    model = mx.create("mean").fit(sections[:-1])
    return mx.save_model(model, tmp_path_factory.mktemp("models") / "run")


@pytest.fixture
def measured(sections, tmp_path):
    """An AnnData file of the last section and its image."""
    section = sections[-1]
    adata = section.counts.copy()
    adata.uns["mpp"] = section.tiles.slide.mpp
    adata.write_h5ad(tmp_path / "s.h5ad")
    Image.fromarray(section.tiles.slide.thumbnail(10**6)).save(tmp_path / "s_HE.png")
    return tmp_path / "s.h5ad"


def _predicted(run, path, tmp_path, **said):
    (out,) = predict_files(run, DataConfig(str(path), **said), out=tmp_path / "out" / "p.h5ad", overwrite=True)
    return read_prediction(out)


@pytest.mark.parametrize("matrix", ["normalised", "nothing"])
def test_an_anndata_file_without_counts_is_predicted_at_its_places(run, measured, tmp_path, matrix):
    expected = _predicted(run, measured, tmp_path)
    adata = ad.read_h5ad(measured)
    values = np.log1p(adata.X.toarray()) if matrix == "normalised" else None
    ad.AnnData(values, obs=adata.obs, obsm=adata.obsm, uns={"mpp": adata.uns["mpp"]}).write_h5ad(measured)
    with pytest.raises(InputError, match="raw counts"):
        read_sections(measured, spec=SPEC)
    with pytest.warns(
        UserWarning, match=r"predicted at the spots' places alone, for there are no counts to use: .*raw"
    ):
        found = _predicted(run, measured, tmp_path)
    assert_array_equal(found.X, expected.X)
    assert_array_equal(found.obsm["spatial"], expected.obsm["spatial"])
    assert list(found.obs_names) == list(expected.obs_names)


@pytest.mark.filterwarnings("ignore:V1. 3 of 30 spots lie beside the tissue:UserWarning")
def test_a_space_ranger_folder_without_a_matrix_is_predicted_at_its_spots_under_tissue(run, tmp_path):
    outs = files.write_outs(tmp_path / "V1")
    expected = _predicted(run, outs, tmp_path)
    (outs / "filtered_feature_bc_matrix.h5").unlink()
    with pytest.warns(UserWarning, match="found none: looked for"):
        found = _predicted(run, outs, tmp_path)
    assert len(found) == len(expected) == len(files.hexagonal()) - 3
    order = [list(expected.obs_names).index(name) for name in found.obs_names]
    assert_array_equal(found.X, expected.X[order])
    assert_array_equal(found.obsm["spatial"], expected.obsm["spatial"][order])


def test_what_is_wrong_with_the_places_is_said(run, measured, tmp_path):
    (tmp_path / "s_HE.png").unlink()
    with pytest.raises(InputError, match="one image named"):
        _predicted(run, measured, tmp_path)


@pytest.fixture
def tiles(sections, tmp_path):
    """A folder of four tiles cut from a section."""
    folder, section = tmp_path / "tiles", sections[-1]
    folder.mkdir()
    for i in range(4):
        x, y = section.tiles.xy[i]
        Image.fromarray(section.tiles.with_spec(SPEC).read(i)).save(folder / f"t_x{x:.0f}_y{y:.0f}.png")
    return folder


def test_strays_beside_tiles_change_nothing(run, tiles, tmp_path):
    expected = _predicted(run, tiles, tmp_path)
    first = next(tiles.iterdir()).name
    for name in (f"._{first}", ".DS_Store", "Thumbs.db", "desktop.ini", "coords.csv", "notes.txt"):
        (tiles / name).write_bytes(b"\0\5\x16\7")
    (tiles / "__MACOSX").mkdir()
    (tiles / "__MACOSX" / f"._{first}").write_bytes(b"\0\5\x16\7")
    assert not holds_slides(str(tiles), run=run)
    found = _predicted(run, tiles, tmp_path)
    assert list(found.obs_names) == list(expected.obs_names)
    assert_array_equal(found.X, expected.X)


def test_strays_make_no_folder_of_slides(run, tmp_path):
    for ending in SUFFIXES[:3]:
        (tmp_path / f"._a{ending}").write_bytes(b"\0\5\x16\7")
    assert not holds_slides(str(tmp_path), run=run)
    Image.new("RGB", (400, 300)).save(tmp_path / "a.png")
    assert holds_slides(str(tmp_path), run=run)


def test_strays_beside_an_image_are_not_it(measured):
    for name in ("._s_HE.png", "Thumbs.db"):
        (measured.parent / name).write_bytes(b"\0\5\x16\7")
    (section,) = read_sections(measured, spec=SPEC)
    assert section.tiles.slide.path.name == "s_HE.png"


def test_blank_tiles_are_counted(run, tiles, tmp_path):
    Image.new("RGB", (SIDE, SIDE), (240, 240, 243)).save(tiles / "t_x9000_y9000.png")
    with pytest.warns(UserWarning, match="1 of 5 tiles of tiles are blank glass: their prediction means nothing"):
        _predicted(run, tiles, tmp_path)


def test_a_transparent_tile_is_refused(run, tiles, tmp_path):
    Image.new("RGBA", (SIDE, SIDE), (200, 100, 150, 0)).save(tiles / "t_x9000_y9000.png")
    with pytest.raises(InputError, match=r"t_x9000_y9000.png: a picture expected, found it transparent all over"):
        _predicted(run, tiles, tmp_path)


@pytest.mark.slow
def test_the_flagship_reads_ready_made_tiles(sections, tiles, tmp_path):
    small = {"encoder": "random:test_efficientnet", "n_components": 3, "epochs": 1, "n_models": 1}
    model = mx.create("mclstexp", **small).fit(sections[:-1])
    assert max(model.view_widths) > 1
    assert "ready_made_tiles" not in model.provenance_
    run = mx.save_model(model, tmp_path / "flagship")
    with pytest.warns(UserWarning, match="wider views show the tile itself"):
        found = _predicted(run, tiles, tmp_path)
    assert (len(found), bool(found.uns["mclstexp"]["ready_made_tiles"])) == (4, True)
    assert np.isfinite(found.X).all()


def test_a_fit_on_ready_made_tiles_says_so(sections, tiles):
    """As of HEST's patches; up to its own width a view of a ready-made tile is one, and needs no warning."""
    alone = mx.read_tiles(tiles, spec=SPEC)
    on_slide = mx.Tiles(sections[-1].tiles.slide, alone.xy, alone.ids, spec=SPEC)
    with pytest.warns(UserWarning, match="wider views show the tile itself") as said:
        views = embed_views(alone, "random:test_efficientnet", widths=(1.0, 2.0, 4.0))
    assert len(said) == 1
    own = embed_views(alone, "random:test_efficientnet", widths=(1.0,))
    assert_array_equal(views, np.tile(own, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # what packages announce to each other
        narrow = [embed_views(tiles, "random:test_efficientnet", widths=(0.5,)) for tiles in (alone, on_slide)]
    assert narrow[0].shape == narrow[1].shape
    counts = ad.AnnData(np.ones((4, 3), np.int32) * np.arange(1, 4), obs=pd.DataFrame(index=alone.ids.astype(object)))
    section = mx.Section("t", "p", alone, counts)
    assert mx.create("mean").fit([section]).provenance_["ready_made_tiles"] == ["t"]
