"""A measured corner recalibrates a model: what the rest holds moves nothing, and the corner's own spots are said."""

from dataclasses import replace

import numpy as np
import pytest

import mclstexp as mx
from mclstexp.api.intervals import Intervals
from mclstexp.core.adaptation import Adaptation
from mclstexp.core.errors import InputError
from mclstexp.io.predictions import read_prediction, write_prediction
from mclstexp.io.synthetic import make_sections
from mclstexp.whole_slide.stream import run_key

SPEC = mx.TileSpec(32, 4.0)


@pytest.fixture(scope="module")
def sections():
    return make_sections(2, n_spots_side=10, n_genes=12, mpp=4.0, spec=SPEC)


@pytest.fixture(scope="module")
def model(sections):
    return mx.create("colour").fit(sections[:1])


@pytest.fixture(scope="module")
def corner(sections):
    xy = sections[1].tiles.xy
    return sections[1].tiles.ids[np.argsort(xy.sum(axis=1))[:30]].tolist()


def _rest(section, corner):
    return section.take(~np.isin(section.tiles.ids, corner))


def test_what_the_rest_holds_moves_nothing(model, sections, corner):
    section = sections[1]
    counts = section.counts.copy()
    rest = ~np.isin(section.tiles.ids, corner)
    noise = np.random.default_rng(0).poisson(3.0, counts.shape)
    counts.X = np.where(rest[:, None], noise, counts.X.toarray())
    other = replace(section, counts=counts)
    one, two = (mx.adapt_model(model, s, spots=corner).predict(_rest(s, corner).tiles) for s in (section, other))
    assert np.array_equal(one.X, two.X)
    alone = mx.adapt_model(model, section.take(~rest))
    assert np.allclose(alone.predict(_rest(section, corner).tiles).X, one.X, atol=1e-5)


def test_a_level_that_is_off_is_mended_and_the_model_stays_as_it_was(model, sections, corner):
    section = sections[1]
    rest = _rest(section, corner)
    before = model.predict(rest.tiles).X
    adapted = mx.adapt_model(model, section, spots=corner)
    truth = model.space_(rest.counts)
    level = [np.abs((said - truth).mean(axis=0)).mean() for said in (before, adapted.predict(rest.tiles).X)]
    assert level[1] < level[0]
    assert np.array_equal(model.predict(rest.tiles).X, before)
    assert model.adaptation_ is None
    shifted = mx.adapt_model(model, section, spots=corner, penalty=np.inf).predict(rest.tiles).X - before
    assert np.ptp(shifted, axis=0).max() < 1e-5


def test_an_error_that_goes_along_with_the_prediction_is_learnt():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(400, 2))
    predicted = hidden @ rng.normal(size=(2, 6))
    truth = 0.5 * predicted + 2 + 0.1 * rng.normal(size=predicted.shape)
    found = Adaptation.learn(predicted[:200], truth[:200], penalty=1.0)
    assert np.sqrt(((found.apply(predicted[200:]) - truth[200:]) ** 2).mean()) < 0.25
    assert np.sqrt(((predicted[200:] - truth[200:]) ** 2).mean()) > 1.5


def test_a_saved_model_says_on_what_it_was_adapted_and_predicts_the_same(model, sections, corner, tmp_path):
    section = sections[1]
    adapted = mx.adapt_model(model, section, spots=corner)
    mx.save_model(adapted, tmp_path / "run")
    loaded = mx.load_model(tmp_path / "run")
    rest = _rest(section, corner).tiles
    predicted = loaded.predict(rest)
    assert np.array_equal(predicted.X, adapted.predict(rest).X)
    read = read_prediction(write_prediction(predicted, tmp_path / "p.h5ad"))
    said = read.uns["mclstexp"]["adapted"]
    assert (said["section"], said["patient"], said["spots"]) == ("P2_S1", "P2", corner)
    with pytest.warns(UserWarning, match=r"30 of \d+ places are spots that the model was adapted on: leave them out"):
        loaded.predict(section.tiles)
    with pytest.warns(UserWarning, match="adapted to P2_S1, and this is another slide"):
        loaded.predict(sections[0].tiles)
    with pytest.raises(InputError, match="found one adapted to P2_S1"):
        mx.adapt_model(loaded, section, spots=corner)


def test_what_cannot_be_adapted_is_said(model, sections, corner):
    with pytest.raises(InputError, match=r"at least 20 spots with counts to adapt on expected, found 5"):
        mx.adapt_model(model, sections[1], spots=corner[:5])
    with pytest.raises(InputError, match="found 'nowhere' which is none: check spots="):
        mx.adapt_model(model, sections[1], spots=["nowhere"])
    with pytest.raises(InputError, match="found colour before fit"):
        mx.adapt_model(mx.create("colour"), sections[1])
    adapted = mx.adapt_model(model, sections[1], spots=corner)
    with pytest.raises(InputError, match="as it was fitted expected for intervals, found one adapted to P2_S1"):
        Intervals.learn(adapted, sections)
    assert run_key(adapted) != run_key(model)
    with pytest.raises(InputError, match="a positive penalty expected"):
        mx.adapt_model(model, sections[1], penalty=0)
    whole = Adaptation.learn(np.eye(9), np.eye(9))
    damaged = whole.arrays() | {"adaptation.shift": np.zeros(3)}
    with pytest.raises(InputError, match="what a model was adapted by"):
        Adaptation.of_arrays(damaged, n_genes=9)


def test_the_command_writes_an_adapted_model(model, sections, corner, said, tmp_path, monkeypatch):
    monkeypatch.setattr("mclstexp.evaluation.config.DataConfig.read", lambda self, spec: [sections[1]])
    mx.save_model(model, tmp_path / "run")
    (tmp_path / "corner.txt").write_text("\n".join(corner))
    words = ("adapt", tmp_path / "run", tmp_path / "s", "--out", tmp_path / "new", "--spots")
    code, text, errors = said(*words, tmp_path / "corner.txt")
    assert code == 0, errors
    assert "colour adapted on 30 spots of P2_S1" in text
    assert mx.load_model(tmp_path / "new").provenance_["adapted"]["spots"] == corner
    code, _, errors = said(*words, ",".join(corner))
    assert (code, "give --overwrite" in errors) == (2, True)
