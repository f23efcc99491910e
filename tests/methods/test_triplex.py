"""TRIPLEX: each section its own grid, the whole slide as context, and what its options do."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.methods import create
from small_methods import ENCODER, small_sections

SMALL = {"encoder": ENCODER, "window_side": 3, "n_components": 8, "dim": 8, "heads": (2, 2, 2)}
SMALL |= {"n_models": 1, "batch_size": 16, "epochs": 1}


@pytest.fixture(scope="module")
def sections():
    return small_sections()


@pytest.fixture(scope="module")
def fitted(sections):
    return create("triplex", **SMALL).fit(sections[:2])


def test_each_section_has_its_own_grid(fitted, sections):
    tiles = sections[2].tiles
    fresh = fitted.predict(tiles).X
    small, larger = tiles.take(np.arange(4)), replace(sections[1].tiles, array_xy=sections[1].tiles.array_xy + 40)
    fitted.predict(small)
    shifted = fitted.predict(larger).X
    np.testing.assert_array_equal(fitted.predict(tiles).X, fresh)
    np.testing.assert_allclose(fitted.predict(sections[1].tiles).X, shifted, atol=1e-6)


def test_the_whole_slide_is_context(fitted, sections):
    tiles = sections[2].tiles
    assert fitted.context_um == math.inf
    assert np.abs(fitted.predict(tiles.take([0])).X[0] - fitted.predict(tiles).X[0]).max() > 1e-5


def test_where_tiles_lie_on_the_array_matters(fitted, sections):
    tiles = sections[2].tiles
    spread = replace(tiles, array_xy=tiles.array_xy * 3)  # nobody's neighbour any more
    assert np.abs(fitted.predict(spread).X - fitted.predict(tiles).X).max() > 1e-5
    with pytest.raises(InputError, match="array coordinates"):
        fitted.predict(replace(tiles, array_xy=None))


def test_no_tiles_have_no_prediction(fitted, sections):
    assert fitted.predict(sections[2].tiles.take(np.zeros(0, int))).shape == (0, 30)


def test_several_models_are_averaged(sections):
    tiles = sections[2].tiles
    both = create("triplex", **SMALL | {"n_models": 2}).fit(sections[:2])
    predicted, kept, parts = both.predict(tiles).X, both.models_, []
    for model in kept:
        both.models_ = [model]
        parts.append(both.predict(tiles).X)
    np.testing.assert_allclose(predicted, np.mean(parts, axis=0), atol=1e-5)


def test_errors_may_count_as_they_are(sections):
    model = create("triplex", **SMALL, standardise=False).fit(sections[:2])
    assert set(model.spread_) == {1}
    assert set(model.mean_) == {0}


def test_an_interrupted_fit_goes_on_to_the_same_bytes(sections, tmp_path, monkeypatch):
    whole = create("triplex", **SMALL | {"epochs": 3}).fit(sections[:2], workdir=tmp_path / "whole")
    from mclstexp.training import loop

    saving = loop.save_checkpoint

    def save(*args, epoch, **given):
        saving(*args, epoch=epoch, **given)
        if epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", save)
    with pytest.raises(KeyboardInterrupt):
        create("triplex", **SMALL | {"epochs": 3}).fit(sections[:2], workdir=tmp_path / "cut")
    monkeypatch.setattr(loop, "save_checkpoint", saving)
    resumed = create("triplex", **SMALL | {"epochs": 3}).fit(sections[:2], workdir=tmp_path / "cut")
    tiles = sections[2].tiles
    np.testing.assert_array_equal(resumed.predict(tiles).X, whole.predict(tiles).X)


def test_the_published_preset_is_the_published_size():
    model = create("triplex", preset="published")
    assert (model.dim, model.depths, model.heads) == (512, (1, 3, 3), (4, 16, 16))
    assert (model.mlp_ratios, model.dropouts) == ((4, 4, 1), (0.2, 0.1, 0.3))
    assert (model.learning_rate, model.batch_size, model.alpha, model.window_side) == (1e-4, 128, 0.3, 5)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"epochs": 0}, "epochs must be at least 1, found 0"),
        ({"depths": (1, 2)}, r"depths must be three numbers .* found \(1, 2\)"),
        ({"dim": 10}, "dim must divide by every number of heads, found 10"),
        ({"window_side": 4}, "window_side must be a positive odd number, found 4"),
        ({"alpha": 1.5}, r"alpha must lie in 0 to 1, found 1\.5"),
    ],
)
def test_impossible_options_are_refused(changed, sentence):
    with pytest.raises(InputError, match=sentence):
        create("triplex", **changed)
