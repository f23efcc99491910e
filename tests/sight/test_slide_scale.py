"""A slide's own scale: from its tissue and never from who is asked, the same for a stain that shifts all of it."""

from dataclasses import replace

import numpy as np
import pytest

from mclstexp.api.models import load_model
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.io.models import save_model
from mclstexp.methods import create
from mclstexp.sight.fitted import FittedSight
from mclstexp.sight.sight import Seen, Sight
from mclstexp.sight.slide_scale import N_PLACES, SlideScale, places_of, rooted, slide_scale
from mclstexp.whole_slide import stream as blocks
from slowly import slowly
from small_methods import ENCODER, small_sections

SIGHT = Sight(ENCODER, slide_scale=True)


@pytest.fixture(scope="module")
def sections():
    return small_sections(3, n_spots_side=12, spec=TileSpec(32, 2.5))


def test_places_are_a_grid_over_the_tissue(sections):
    tiles = sections[0].tiles
    places = places_of(tiles.slide, tiles.spec)
    assert 100 <= len(places) <= 1.3 * N_PLACES
    steps = np.diff(np.unique(places.xy[:, 0])) * tiles.slide.mpp
    assert steps.min() >= tiles.spec.size_um * 0.999, "no place is seen twice"


def test_a_scale_is_the_mean_and_spread_of_those_places(sections):
    tiles = sections[0].tiles
    values = rooted(SIGHT.place(places_of(tiles.slide, tiles.spec)).values)
    scale = slide_scale(tiles.slide, tiles.spec, SIGHT)
    np.testing.assert_allclose(scale.mean, values.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(scale.spread, values.std(axis=0), atol=1e-5)
    assert scale is slide_scale(tiles.slide, tiles.spec, SIGHT), "a slide is looked at once"


def _scaled(values, own, *, training=(0.0, 1.0), n_places=10**6):
    """Scale values by a slide's mean and spread; so many places that training slides say nothing, unless it is said."""
    n_features = values.shape[1]
    scales = [SlideScale(*(np.full(n_features, v, np.float32) for v in pair), n_places) for pair in (own, training)]
    return scales[0].apply(Seen(values, n_own=n_features), training=scales[1]).values


def test_what_shifts_and_stretches_all_of_a_slide_is_taken_out():
    roots = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    shifted, stretched = (np.sign(r) * r**2 for r in (3 + roots, 2 * roots))
    plain = roots / 1.5  # half the usual spread is added to its own
    np.testing.assert_allclose(_scaled(shifted, (3.0, 1.0)), plain, atol=1e-3)
    np.testing.assert_allclose(_scaled(stretched, (0.0, 2.0), training=(0.0, 2.0)), plain, atol=1e-3)


def test_what_hardly_shows_on_a_slide_is_not_blown_up():
    values = np.ones((1, 3), np.float32)
    usual = np.array([1.0, 1.0, 0.0], np.float32)
    scale = SlideScale(np.zeros(3, np.float32), usual, 300)
    np.testing.assert_allclose(scale.apply(Seen(values, n_own=3), training=scale).values[0, 2], 2.0)


def test_few_places_count_less_than_training_slides():
    found = _scaled(np.zeros((1, 1), np.float32), (4.0, 1.0), n_places=25)
    np.testing.assert_allclose(found, [[-2.0 / 1.5]], rtol=1e-6)


def test_each_kind_of_feature_has_a_usual_spread_of_its_own():
    spread = np.array([1.0, 1.0, 10.0, 10.0, 100.0], np.float32)
    scale = SlideScale(np.zeros(5, np.float32), spread, 300)
    seen = Seen(np.ones((1, 5), np.float32), n_own=2, n_views=2, n_colour=1)
    assert seen.blocks == [slice(0, 2), slice(2, 4), slice(4, 5)]
    np.testing.assert_allclose(scale.apply(seen, training=scale).values[0], 1 / (1.5 * spread), rtol=1e-6)


_BRIEF = {"st_net": {"epochs": 1}, "deepspot": {"epochs": 1, "n_models": 1, "n_components": 8}}


@pytest.mark.parametrize("name", ["ridge", slowly("st_net"), slowly("deepspot")])
def test_a_prediction_does_not_depend_on_who_else_is_asked(sections, name, tmp_path):
    model = create(name, encoder=ENCODER, slide_scale=True, **_BRIEF.get(name, {})).fit(sections[:2])
    tiles = sections[2].tiles
    whole = model.predict(tiles)
    np.testing.assert_allclose(model.predict(tiles.take([3, 5])).X, whole.X[[3, 5]], atol=1e-5)
    assert whole.uns["mclstexp"]["slide_scale_places"] == slide_scale(tiles.slide, tiles.spec, SIGHT).n_places
    assert "slide's scale" in whole.uns["mclstexp"]["sees"]
    loaded = load_model(save_model(model, tmp_path / "m"))
    np.testing.assert_array_equal(loaded.predict(tiles).X, whole.X)


def test_a_slide_in_blocks_has_one_scale(sections, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_TILES", {"cpu": 40, "cuda": 40})
    model = create("ridge", encoder=ENCODER, slide_scale=True).fit(sections[:2])
    slide, spec = sections[2].tiles.slide, sections[2].tiles.spec
    grid = Tiles.grid(slide, spec=spec, stride_um=4 * spec.size_um)
    streamed = blocks.stream(model, grid, folder=tmp_path / "run")
    whole = model.predict(grid)
    np.testing.assert_allclose(np.concatenate(list(streamed.store.expression())), whole.X, atol=1e-5)
    plain = create("ridge", encoder=ENCODER).fit(sections[:2]).predict(grid)
    assert np.abs(plain.X - whole.X).max() > 0.01


class _Stained(Slide):
    """The same slide under another lamp: every value of a pixel is moved alike."""

    def __init__(self, slide):
        self.id, self.mpp, self.size_px, self._slide = slide.id, slide.mpp, slide.size_px, slide

    def read(self, xy, spec):
        return (self._slide.read(xy, spec) * 0.85).astype(np.uint8)

    def thumbnail(self, max_size_px):
        return self._slide.thumbnail(max_size_px)

    def fingerprint(self):
        return f"darker {self._slide.fingerprint()}"


def test_a_darker_slide_is_seen_nearly_as_the_slide_itself(sections):
    tiles = sections[0].tiles
    darker = replace(tiles, slide=_Stained(tiles.slide))
    moved = {}
    for scaled in (False, True):
        seen = FittedSight.fit(replace(SIGHT, encoder="colour", slide_scale=scaled), [tiles])
        one, other = seen.look(tiles).values, seen.look(darker).values
        moved[scaled] = np.abs(other - one).mean() / one.std(axis=0).mean()
    assert moved[True] < 0.3 * moved[False]


def test_a_slide_of_little_tissue_is_refused_in_one_sentence():
    tiles = small_sections(1)[0].tiles
    with pytest.raises(InputError, match=r"at least 100 tiles of .* found \d+: fit a model with slide_scale=false"):
        slide_scale(tiles.slide, tiles.spec, SIGHT)
