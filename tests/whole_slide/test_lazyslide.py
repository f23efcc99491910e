import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles
from mclstexp.io.slides import open_slide
from mclstexp.methods import create
from mclstexp.sight.embed import embed_tiles
from mclstexp.whole_slide.lazyslide import as_feature_model, predict_wsi
from small_methods import ENCODER, SPEC, small_sections

pytestmark = pytest.mark.filterwarnings("ignore")  # of what the packages around say of their own future
TABLE = "test_efficientnet_tiles"


def extra(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason="the extra mclstexp[wsi] is not installed")


@pytest.fixture(scope="module")
def sections():
    return small_sections()


@pytest.fixture(scope="module")
def ridge(sections):
    return create("ridge", encoder=ENCODER).fit(sections[:2])


@pytest.fixture(scope="module")
def slide_file(sections, tmp_path_factory):
    """A section's picture as a tiled TIFF that knows its scale."""
    path = tmp_path_factory.mktemp("slides") / "slide.tif"
    picture = np.ascontiguousarray(sections[2].tiles.slide._array)
    tifffile.imwrite(
        path, picture, tile=(256, 256), photometric="rgb", resolution=(2500, 2500), resolutionunit="CENTIMETER"
    )
    return path


@pytest.fixture
def wsi(slide_file):
    """A store with tiles of the model's size, half overlapping."""
    extra("wsidata")
    lazyslide = extra("lazyslide")
    from wsidata import open_wsi

    store = open_wsi(slide_file, store=None)
    lazyslide.pp.tile_tissues(store, SPEC.size_px, mpp=SPEC.mpp, stride_px=SPEC.size_px // 2)
    return store


def corners(wsi):
    return wsi.shapes["tiles"].bounds.to_numpy()[:, :2]


def own_tiles(wsi, slide_file):
    corner = corners(wsi)
    ids = wsi.shapes["tiles"].index.astype(str).to_numpy(str)
    return Tiles(open_slide(slide_file, mpp=wsi.properties.mpp), corner + SPEC.size_px / 2, ids, spec=SPEC)


def add_features(wsi, features, key="test_efficientnet"):
    from wsidata.io import add_features as add

    add(wsi, f"{key}_tiles", "tiles", np.asarray(features))


def test_the_prediction_goes_into_the_store_at_the_tiles_centres(wsi, ridge, slide_file):
    written = predict_wsi(ridge, wsi)
    expected = ridge.predict(own_tiles(wsi, slide_file))
    assert wsi.tables["ridge_tiles"] is written
    np.testing.assert_array_equal(written.X, expected.X)
    np.testing.assert_array_equal(written.obsm["spatial"], corners(wsi) + SPEC.size_px / 2)
    assert list(written.var_names) == list(ridge.genes_)
    assert (written.obs["tile_id"].to_numpy() == wsi.shapes["tiles"].index.to_numpy()).all()
    assert written.uns["mclstexp"]["method"] == "ridge"


def test_the_store_is_written_and_read_again(wsi, ridge, slide_file, tmp_path):
    from wsidata import open_wsi

    written = predict_wsi(ridge, wsi, key_added="mine")
    wsi.set_wsi_store(tmp_path / "store.zarr")
    wsi.write()
    again = open_wsi(slide_file, store=str(tmp_path / "store.zarr"))
    np.testing.assert_array_equal(again.tables["mine"].X, written.X)
    assert again.tables["mine"].uns["spatialdata_attrs"]["region"] == "tiles"
    assert again.fetch.features_anndata("mine").n_vars == len(ridge.genes_)


def test_lazyslide_draws_it(wsi, ridge):
    import matplotlib.pyplot as plt

    gene = ridge.genes_[0]
    predict_wsi(ridge, wsi)
    extra("lazyslide").pl.tiles(wsi, feature_key="ridge", color=gene)
    drawn = [ax.get_title() for ax in plt.gcf().axes if ax.has_data()]
    plt.close("all")
    assert any(gene in title for title in drawn), drawn


def test_features_of_the_store_are_used(wsi, ridge, slide_file):
    tiles = own_tiles(wsi, slide_file)
    changed = embed_tiles(tiles, ENCODER) * 1.01
    add_features(wsi, changed.astype(np.float16))  # as LazySlide's amp leaves them
    rounded = changed.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(predict_wsi(ridge, wsi).X, predict_by(ridge, wsi, rounded))


def predict_by(model, wsi, features):
    answer = as_feature_model(model, wsi).predict(features, corners(wsi))
    return np.column_stack([answer[gene] for gene in model.genes_])


def test_rows_are_found_by_their_tile_and_gaps_are_computed(wsi, ridge, slide_file):
    tiles = own_tiles(wsi, slide_file)
    features = embed_tiles(tiles, ENCODER)
    add_features(wsi, features)
    order = np.random.default_rng(0).permutation(len(tiles))[5:]
    wsi.tables[TABLE] = wsi.tables[TABLE][order].copy()
    wsi.tables[TABLE].X[3] = np.nan
    np.testing.assert_array_equal(predict_wsi(ridge, wsi).X, ridge.predict(tiles).X)


def test_unlike_features_are_used_only_if_named_and_then_said(wsi, ridge, slide_file):
    tiles = own_tiles(wsi, slide_file)
    features = embed_tiles(tiles, ENCODER)
    add_features(wsi, features[::-1] * 2)
    with pytest.warns(UserWarning, match="computed anew"):
        passed_over = predict_wsi(ridge, wsi).X
    np.testing.assert_array_equal(passed_over, ridge.predict(tiles).X)
    with pytest.warns(UserWarning, match="less certain"):
        named = predict_wsi(ridge, wsi, feature_key="test_efficientnet").X
    assert np.abs(named - passed_over).max() > 0.01


def test_feature_prediction_takes_a_fitted_model(wsi, ridge, slide_file):
    from lazyslide_models import FeaturePredictionModelProtocol

    add_features(wsi, embed_tiles(own_tiles(wsi, slide_file), ENCODER))
    expected = predict_wsi(ridge, wsi, key_added="expected")
    for adapter in (as_feature_model(ridge, wsi), as_feature_model(ridge)):
        assert isinstance(adapter, FeaturePredictionModelProtocol)
        assert adapter.features_model_name == "test_efficientnet"
        extra("lazyslide").tl.feature_prediction(wsi, adapter, batch_size=7, amp=True, pbar=False)
        written = wsi.tables.pop("ridge_tiles")
        assert list(written.var_names) == list(ridge.genes_)
        np.testing.assert_allclose(written.X, expected.X, atol=1e-5)


def test_a_model_that_looks_around_sees_all_tiles_at_once(wsi, sections, slide_file):
    pls = create("pls", encoder=ENCODER, context_radii_um=(200.0,)).fit(sections[:2])
    add_features(wsi, embed_tiles(own_tiles(wsi, slide_file), ENCODER))
    adapter = as_feature_model(pls, wsi)
    assert adapter.whole_slide
    extra("lazyslide").tl.feature_prediction(wsi, adapter, batch_size=3, pbar=False)
    np.testing.assert_allclose(wsi.tables["pls_tiles"].X, predict_wsi(pls, wsi).X, atol=1e-5)


def test_features_alone_are_not_enough_for_it(wsi, sections, ridge, slide_file):
    features = embed_tiles(own_tiles(wsi, slide_file), ENCODER)
    pls = create("pls", encoder=ENCODER, context_radii_um=(200.0,)).fit(sections[:2])
    with pytest.raises(InputError, match=r"places in µm .* as_feature_model\(model, wsi\)"):
        as_feature_model(pls).predict(features)
    with pytest.raises(InputError, match=r"pixels of the slide expected .* found features alone"):
        as_feature_model(
            create("mclstexp", encoder=ENCODER, view_widths=(2.0,), symmetric=False, epochs=1).fit(sections[:2])
        ).predict(features)
    with pytest.raises(InputError, match="one for each store"):
        as_feature_model(ridge, wsi).predict(features[:1], corners(wsi)[:1] + 1)
    with pytest.raises(InputError, match="corners of 1 tiles expected"):
        as_feature_model(ridge, wsi).predict(features[:1])
    with pytest.raises(InputError, match="features a tile expected"):
        as_feature_model(ridge).predict(features[:, 1:])


def test_bad_stores_are_refused_in_a_sentence(wsi, ridge):
    with pytest.raises(InputError, match="must be fitted"):
        predict_wsi(create("ridge", encoder=ENCODER), wsi)
    with pytest.raises(
        InputError, match=r"shapes\['spots'\], found tiles: make them, zs.pp.tile_tissues\(wsi, 32, mpp=4\)"
    ):
        predict_wsi(ridge, wsi, tile_key="spots")
    with pytest.raises(InputError, match=r"tables\['uni'\] expected, found none"):
        predict_wsi(ridge, wsi, feature_key="uni")
    extra("lazyslide").pp.tile_tissues(wsi, 64, mpp=SPEC.mpp, key_added="large")
    with pytest.raises(InputError, match="tiles of 128 µm expected by the model, found 256 by 256 µm"):
        predict_wsi(ridge, wsi, tile_key="large")
    add_features(wsi, np.zeros((len(wsi.shapes["tiles"]), 4), np.float32))
    with pytest.raises(InputError, match="features a tile expected of random:test_efficientnet, found 4"):
        predict_wsi(ridge, wsi)
    wsi.properties.mpp = None
    with pytest.raises(InputError, match="set_mpp"):
        predict_wsi(ridge, wsi)


def test_a_slide_that_only_the_store_can_read(wsi, ridge, slide_file, monkeypatch):
    expected = predict_wsi(ridge, wsi).X

    def refuse(path, **given):
        msg = "no image"
        raise InputError(msg)

    monkeypatch.setattr("mclstexp.whole_slide.wsi_tiles.open_slide", refuse)
    np.testing.assert_array_equal(predict_wsi(ridge, wsi).X, expected)


def test_the_page_about_it_works(ridge, slide_file, tmp_path, monkeypatch):
    import matplotlib.pyplot as plt

    extra("lazyslide")
    page = (Path(__file__).resolve().parents[2] / "docs" / "wsi.md").read_text(encoding="utf-8")
    monkeypatch.setattr("mclstexp.load_model", lambda folder: ridge)
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)).replace("biopsy.svs", str(slide_file))
    # synthetic tissue fills its picture: there is no edge to find
    names: dict = {}
    exec(compile(code.replace("zs.pp.find_tissues(wsi, level=0)", ""), "wsi.md", "exec"), names)
    plt.close("all")
    assert (tmp_path / "biopsy.zarr").is_dir()
    np.testing.assert_allclose(names["wsi"].tables["ridge_tiles"].X, names["predicted"].X, atol=0.2)
