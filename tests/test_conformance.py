"""What every registered method promises, whoever wrote it."""

import dataclasses

import anndata
import numpy as np
import pytest

from mclstexp import load_model, save_model
from mclstexp.core.errors import InputError
from mclstexp.core.options import describe_options
from mclstexp.core.tiles import TileSpec
from mclstexp.methods import create, list_methods
from small_methods import small_methods, small_sections

METHODS = small_methods()
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.label)


@pytest.fixture(scope="module")
def sections():
    return small_sections()


@pytest.fixture(scope="module")
def fitted(sections):
    return {method.label: method.create().fit(sections[:2]) for method in METHODS}


@each_method
def test_prediction_has_the_tiles_rows_and_the_panels_columns(method, fitted, sections):
    model, tiles = fitted[method.label], sections[2].tiles
    predicted = model.predict(tiles)
    assert predicted.X.shape == (len(tiles), len(model.genes_))
    assert predicted.X.dtype == np.float32
    assert np.isfinite(predicted.X).all()
    assert list(predicted.obs_names) == list(tiles.ids)
    assert list(predicted.var_names) == list(model.genes_)
    np.testing.assert_array_equal(predicted.obsm["spatial"], tiles.xy)


@each_method
def test_rows_follow_the_tiles(method, fitted, sections):
    model, tiles = fitted[method.label], sections[2].tiles
    order = np.random.default_rng(0).permutation(len(tiles))
    np.testing.assert_allclose(model.predict(tiles.take(order)).X, model.predict(tiles).X[order], rtol=1e-5, atol=1e-6)


@each_method
def test_a_tile_does_not_depend_on_tiles_beyond_its_context(method, fitted, sections):
    model, tiles = fitted[method.label], sections[2].tiles
    far_um = np.linalg.norm(tiles.xy_um - tiles.xy_um[0], axis=1)
    near = far_um <= model.context_um
    near[0] = True
    alone = model.predict(tiles.take(near)).X[0]
    np.testing.assert_allclose(alone, model.predict(tiles).X[0], rtol=1e-5, atol=1e-6)


@each_method
def test_one_seed_gives_one_result(method, fitted, sections):
    again = method.create().fit(sections[:2])
    np.testing.assert_array_equal(again.predict(sections[2].tiles).X, fitted[method.label].predict(sections[2].tiles).X)


@each_method
def test_a_saved_model_predicts_the_same_numbers(method, fitted, sections, tmp_path):
    model, tiles = fitted[method.label], sections[2].tiles
    loaded = load_model(save_model(model, tmp_path / "model"))
    assert dataclasses.asdict(loaded) == dataclasses.asdict(model)
    assert (loaded.space_, loaded.spec_) == (model.space_, model.spec_)
    np.testing.assert_array_equal(loaded.predict(tiles).X, model.predict(tiles).X)


@each_method
def test_fitting_again_forgets_the_first_time(method, fitted, sections):
    model = method.create().fit(sections[1:])
    model.fit(sections[:2])
    np.testing.assert_array_equal(model.predict(sections[2].tiles).X, fitted[method.label].predict(sections[2].tiles).X)


@each_method
def test_what_cannot_be_predicted_is_refused(method, fitted, sections):
    with pytest.raises(InputError, match="must be fitted before it predicts"):
        method.create().predict(sections[2].tiles)
    with pytest.raises(InputError, match=r"use tiles\.with_spec"):
        fitted[method.label].predict(sections[2].tiles.with_spec(TileSpec(32, 2.0)))


@each_method
def test_a_prediction_says_how_it_was_made_even_from_a_file(method, fitted, sections, tmp_path):
    fitted[method.label].predict(sections[2].tiles).write_h5ad(tmp_path / "p.h5ad")
    made = anndata.read_h5ad(tmp_path / "p.h5ad").uns["mclstexp"]
    assert made["method"] == method.name
    assert set(made["sections"]) == {section.id for section in sections[:2]}
    assert list(made["patients"]) == [section.patient for section in sections[:2]]
    assert made["spec"]["size_px"] == 32
    assert set(made["options"]) == {field.name for field in dataclasses.fields(list_methods()[method.name])}


@each_method
def test_the_callers_options_and_sections_stay_as_they_are(method, sections):
    before = [section.counts.X.copy() for section in sections[:2]]
    model = method.create()
    options = dataclasses.asdict(model)
    model.fit(sections[:2])
    assert dataclasses.asdict(model) == options
    for section, counts in zip(sections[:2], before, strict=True):
        assert (counts != section.counts.X).nnz == 0


@pytest.mark.parametrize("name", list_methods())
def test_every_option_has_a_default_and_a_sentence(name):
    cls = list_methods()[name]
    cls()  # every option has a default
    assert cls.__doc__
    assert [option.name for option in describe_options(cls) if not option.text.endswith((".", ";"))] == []


@pytest.mark.parametrize("name", list_methods())
def test_every_preset_is_a_set_of_its_options(name):
    for preset in list_methods()[name].presets:
        assert create(name, preset=preset).name == name
