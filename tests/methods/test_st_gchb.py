"""ST-GCHB: what it returns, what its parts add, what it refuses."""

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.methods import create
from mclstexp.methods import st_gchb as module
from small_methods import ENCODER, small_sections

SMALL = {
    "encoder": ENCODER,
    "n_components": 8,
    "hidden": 8,
    "dim": 8,
    "batch_size": 16,
    "pretraining_epochs": 2,
    "epochs": 3,
    "k": 5,
}


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


def _fit(sections, **options):
    return create("st_gchb", **SMALL | options).fit(sections[:2])


def test_a_prediction_is_the_mean_of_measured_spots(sections):
    model = _fit(sections, k=1)
    measured = np.concatenate([model.space_(section.counts) for section in sections[:2]])
    for row in model.predict(sections[2].tiles).X:
        assert np.abs(measured - row).max(axis=1).min() < 1e-6
    whole = _fit(sections, k=10_000).predict(sections[2].tiles).X
    np.testing.assert_allclose(whole, np.tile(measured.mean(axis=0), (len(whole), 1)), atol=1e-5)


@pytest.mark.parametrize("options", [{"pretraining_epochs": 0}, {"beta": 0.0}, {"gather": "sum"}, {"seed": 1}])
@pytest.mark.slow
def test_every_part_has_an_effect(options, sections):
    assert not np.array_equal(_fit(sections, **options).bank_.keys, _fit(sections).bank_.keys)


def test_a_handful_of_spots_is_enough_to_fit(sections):
    few = sections[0].take(range(3))
    model = create("st_gchb", **SMALL).fit([few])
    mean = model.space_(few.counts).mean(axis=0)
    np.testing.assert_allclose(model.predict(sections[2].tiles).X, np.tile(mean, (len(sections[2]), 1)), atol=1e-5)


def test_a_killed_fit_goes_on_to_the_same_numbers(sections, tmp_path, monkeypatch):
    straight = _fit(sections).bank_.keys

    class Killed(BaseException):
        pass

    align = module.STGCHB._align

    def dies(*_):
        raise Killed

    monkeypatch.setattr(module.STGCHB, "_align", dies)
    with pytest.raises(Killed):
        create("st_gchb", **SMALL).fit(sections[:2], workdir=tmp_path)
    assert len(list(tmp_path.rglob("*.safetensors"))) >= 2
    monkeypatch.setattr(module.STGCHB, "_align", align)
    again = create("st_gchb", **SMALL).fit(sections[:2], workdir=tmp_path)
    np.testing.assert_array_equal(again.bank_.keys, straight)


def test_the_context_is_the_neighbours_reach():
    assert create("st_gchb").context_um == 300
    assert create("st_gchb", preset="published").context_um == np.inf


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"k": 0}, "k must be at least 1, found 0"),
        ({"sigma": 0.0}, "sigma must be positive, found 0"),
        ({"temperature": -1.0}, "temperature must be positive"),
    ],
)
def test_impossible_options_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        create("st_gchb", **options)
