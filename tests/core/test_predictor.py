"""What the base class checks for every method, and the register."""

from dataclasses import dataclass

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.identity import hash_section
from mclstexp.core.predictor import Predictor, State, register
from mclstexp.core.tiles import TileSpec
from mclstexp.methods import create, list_methods
from mclstexp.whole_slide.stream import stream
from small_methods import small_sections


@dataclass
class Wrong(Predictor):
    """Returns what the option says."""

    shape: tuple = (1, 1)

    def _fit(self, sections):
        self.seen = [section.id for section in sections]

    def _predict(self, tiles):
        return np.zeros(self.shape)

    def _get_state(self):
        return State({}, {})

    def _set_state(self, state):
        pass


@pytest.fixture(scope="module")
def sections():
    return small_sections(2)


def test_a_wrong_shape_is_caught(sections):
    with pytest.raises(RuntimeError, match=r"returned shape \(1, 1\)"):
        Wrong().fit(sections).predict(sections[0].tiles)


def test_a_prediction_that_is_no_number_is_a_sentence(sections, tmp_path, monkeypatch):
    model = Wrong().fit(sections)
    values = np.zeros((len(sections[0]), len(model.genes_)))
    values[0, :2] = np.nan, np.inf
    monkeypatch.setattr(Wrong, "_predict", lambda self, tiles: values[: len(tiles)])
    with pytest.raises(InputError, match=r"prediction of .*, found 2 of .* not finite: its weights went astray"):
        model.predict(sections[0].tiles)
    with pytest.raises(InputError, match=r"found 2 of \d+ not finite"):
        stream(model, sections[0].tiles, folder=tmp_path / "run")


def test_sections_must_be_of_one_spec_and_different_names(sections):
    with pytest.raises(InputError, match="read with one tile spec"):
        Wrong().fit([sections[0], sections[1].with_spec(TileSpec(32, 1.0))])
    with pytest.raises(InputError, match="must be unique"):
        Wrong().fit([sections[0], sections[0]])
    with pytest.raises(InputError, match="found none"):
        Wrong().fit([])


def test_a_missing_gene_is_said_before_work_begins(sections):
    model = Wrong()
    with pytest.raises(InputError, match="1 of 1 missing"):
        model.fit(sections, space=ExpressionSpace(("NOPE",)))
    assert not hasattr(model, "seen")
    assert not model.is_fitted


def test_a_failed_fit_leaves_no_fitted_model(sections):
    model = Wrong().fit(sections)
    model._fit = lambda sections: (_ for _ in ()).throw(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        model.fit(sections)
    assert not model.is_fitted


def test_the_hash_tells_counts_places_and_names(sections):
    section = sections[0]
    assert hash_section(section) == hash_section(section.take(np.arange(len(section))))
    assert hash_section(section) != hash_section(section.take(np.arange(len(section))[::-1]))
    assert hash_section(section) != hash_section(sections[1])


def test_a_name_is_taken_once():
    list_methods()
    with pytest.raises(ValueError, match="'mean' is taken by mclstexp"):
        register("mean")(Wrong)


def test_unknown_methods_and_options_get_the_nearest_name():
    with pytest.raises(InputError, match="did you mean 'mclstexp'"):
        create("mclSTExp")
    with pytest.raises(InputError, match="method ridge has no option 'alfa': did you mean 'alpha'"):
        create("ridge", alfa=1)
    with pytest.raises(InputError, match="choose one of"):
        create("zzz")
