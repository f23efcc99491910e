"""A prediction of a section is as rich as that of a slide, and belongs to its slide."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from mclstexp import api
from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.predictions import read_prediction, write_prediction
from mclstexp.io.slides import open_slide
from mclstexp.methods import create
from mclstexp.report.viewer_data import SlideView
from mclstexp.sight import embed
from small_methods import small_methods, small_sections

METHODS = {method.label: method for method in small_methods()}
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


@pytest.fixture(scope="module")
def knn(sections):
    return METHODS["knn"].create().fit(sections[:2])


def test_it_has_a_picture_as_scanpy_and_squidpy_look_for_it(sections, knn):
    tiles = sections[2].tiles
    predicted = api.predict(knn, tiles)
    entry = predicted.uns["spatial"][tiles.slide.id]
    factor = entry["scalefactors"]["tissue_hires_scalef"]
    picture = entry["images"]["hires"]
    np.testing.assert_array_equal(picture, tiles.slide.thumbnail(1000))
    assert (predicted.obsm["spatial"] * factor < picture.shape[1::-1]).all()
    assert 0 < entry["scalefactors"]["spot_diameter_fullres"] <= tiles.spec.size_um / tiles.slide.mpp


def test_it_says_how_far_places_lie_from_measured_spots(sections, knn):
    tiles = sections[2].tiles
    np.testing.assert_array_equal(api.predict(knn, tiles).obs[keys.REFERENCE_DISTANCE], knn.reference_distance(tiles))
    plain = create("mean").fit(sections[:2])
    assert keys.REFERENCE_DISTANCE not in api.predict(plain, tiles).obs


def test_an_encoder_that_was_fitted_looks_at_each_tile_once(sections, monkeypatch):
    model = METHODS["mclstexp, end to end"].create().fit(sections[:2])
    looked, kept, compute = Counter(), [], embed._compute

    def counting(tiles, encoder, **kwargs):
        kept.append(encoder)  # or another one could be made at its address
        looked[id(encoder)] += len(tiles)
        return compute(tiles, encoder, **kwargs)

    tiles = sections[2].tiles
    plain = model.predict(tiles).X
    monkeypatch.setattr(embed, "_compute", counting)
    predicted = api.predict(model, tiles)
    assert keys.REFERENCE_DISTANCE in predicted.obs
    assert set(looked.values()) == {len(tiles)}  # for the prediction and for the distance together
    np.testing.assert_array_equal(predicted.X, plain)


def test_it_is_written_and_read_with_all_of_it(sections, knn, tmp_path):
    predicted = api.predict(knn, sections[2].tiles)
    again = read_prediction(write_prediction(predicted, tmp_path / "p.h5ad"))
    assert set(again.uns["spatial"]) == set(predicted.uns["spatial"])
    np.testing.assert_array_equal(again.X, predicted.X)


@pytest.mark.slow  # squidpy takes long to import
@pytest.mark.filterwarnings("ignore")  # squidpy's words with matplotlib are not ours
def test_squidpy_draws_it(sections, knn):
    sq = pytest.importorskip("squidpy")
    plt = pytest.importorskip("matplotlib.pyplot")
    predicted = api.predict(knn, sections[2].tiles)
    axes = sq.pl.spatial_scatter(predicted, color=predicted.var_names[0], shape="square", return_ax=True)
    (image,), (spots,) = axes.images, axes.collections
    np.testing.assert_array_equal(image.get_array(), sections[2].tiles.slide.thumbnail(1000))
    assert len(spots.get_paths()) == len(predicted)
    plt.close("all")


def test_one_place_alone_has_a_size(sections, knn):
    predicted = api.predict(knn, sections[2].tiles.take([0]))
    (entry,) = predicted.uns["spatial"].values()
    assert np.isfinite(entry["scalefactors"]["spot_diameter_fullres"])


def test_the_viewer_refuses_it_over_another_slide(tmp_path):
    """Of one name and size: known by its content."""
    model = create("mean").fit([section.with_spec(TileSpec(32, 4.0)) for section in small_sections(2)])
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        Image.fromarray(RNG.integers(0, 256, (300, 300, 3), dtype=np.uint8)).save(tmp_path / name / "s.png")
    slide = open_slide(tmp_path / "one" / "s.png", mpp=4.0)
    tiles = Tiles(slide, np.array([[100.0, 100.0], [200.0, 200.0]]), np.array(["a", "b"]), model.spec_)
    path = write_prediction(api.predict(model, tiles), tmp_path / "p.h5ad")
    SlideView(tmp_path / "one" / "s.png", path)
    with pytest.raises(InputError, match=r"the slide that was predicted, s\.png, expected .* found another"):
        SlideView(tmp_path / "other" / "s.png", path)
