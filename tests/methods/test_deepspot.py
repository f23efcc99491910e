"""DeepSpot: what it sees, how it is scaled, and what its options do."""

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.methods import create
from mclstexp.sight.surroundings import embed_subtiles, embed_window
from small_methods import ENCODER, small_sections

SMALL = {"encoder": ENCODER, "n_components": 8, "dim": 8, "n_members": 2, "n_models": 1, "batch_size": 16}


@pytest.fixture(scope="module")
def sections():
    return small_sections()


def test_a_tile_is_seen_with_its_parts_and_surroundings(sections):
    tiles = sections[0].tiles
    scene = create("deepspot", **SMALL, window_stride_um=100.0, epochs=1).fit(sections[:1])._scene(tiles)
    np.testing.assert_array_equal(scene.parts, embed_subtiles(tiles, ENCODER))
    np.testing.assert_array_equal(scene.places[scene.index], embed_window(tiles, ENCODER, n_side=3, stride_um=100.0))
    np.testing.assert_array_equal(scene.own, scene.places[scene.index[:, 4]])


def test_parts_and_window_are_seen_by_one_sight(sections):
    wide = create("deepspot", **SMALL, view_widths=(2.0,), colour=True, context_radii_um=(300.0,), epochs=1)
    scene = wide.fit(sections[:1])._scene(sections[0].tiles)
    assert scene.parts.shape[2] == scene.places.shape[1] == 2 * embed_subtiles(sections[0].tiles, ENCODER).shape[2] + 15
    assert wide.context_um == 0, "its window is its surroundings"


def test_without_training_it_says_about_the_mean(sections):
    model = create("deepspot", **SMALL, epochs=1, learning_rate=1e-9).fit(sections[:2])
    mean = create("mean").fit(sections[:2]).predict(sections[2].tiles).X
    assert np.abs(model.predict(sections[2].tiles).X - mean).mean() < 2 * model.spread_.mean()
    np.testing.assert_allclose(model.mean_, mean[0], atol=1e-5)


def test_several_models_are_averaged(sections):
    tiles = sections[2].tiles
    both = create("deepspot", **SMALL | {"n_models": 2}, epochs=1).fit(sections[:2])
    one = create("deepspot", **SMALL, epochs=1).fit(sections[:2])
    kept = both.models_
    assert len(kept) == 2
    predicted = both.predict(tiles).X
    parts = []
    for model in kept:
        both.models_ = [model]
        parts.append(both.predict(tiles).X)
    np.testing.assert_allclose(predicted, np.mean(parts, axis=0), atol=1e-5)
    np.testing.assert_array_equal(parts[0], one.predict(tiles).X)


def test_epochs_are_chosen_on_training_sections_and_not_with_one_section(sections, monkeypatch):
    monkeypatch.setattr("mclstexp.methods.deepspot.EPOCHS", (1, 2))
    assert create("deepspot", **SMALL).fit(sections[:2]).epochs_ in (1, 2)
    assert create("deepspot", **SMALL).fit(sections[:1]).epochs_ == 2
    assert create("deepspot", **SMALL, epochs=3).fit(sections[:1]).epochs_ == 3


def test_the_features_themselves_may_be_taken(sections):
    model = create("deepspot", **SMALL | {"n_components": None}, epochs=1).fit(sections[:1])
    assert model.models_[0].phi.members.in_features == model._scene(sections[0].tiles).own.shape[1]


def test_the_published_preset_is_the_published_size():
    model = create("deepspot", preset="published")
    assert (model.dim, model.n_members, model.dropout, model.window_side, model.parts_side) == (512, 10, 0.3, 3, 3)
    assert (model.learning_rate, model.weight_decay, model.batch_size, model.epochs) == (1e-4, 1e-6, 1024, 10)


@pytest.mark.parametrize(
    ("option", "value"), [("n_members", 0), ("epochs", 0), ("window_side", 4), ("window_side", 1), ("n_components", 0)]
)
def test_impossible_options_are_refused(option, value):
    with pytest.raises(InputError, match=f"deepspot option {option} must be .*, found {value}"):
        create("deepspot", **{option: value})
