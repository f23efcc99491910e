"""Saved models: the same numbers come back, anything else is refused in one sentence."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import Predictor, State
from mclstexp.io.models import load_model, save_model
from mclstexp.io.synthetic import make_sections


@dataclass
class Halves(Predictor):
    """Keeps a mean, a tuple and a nested dictionary."""

    factors: tuple[float, ...] = (1.0, 2.0)
    """Each halved."""
    label: str | None = None
    """Optional."""

    name = "halves"

    def _fit(self, sections):
        self.mean_ = self.space_(sections[0].counts).mean(axis=0)
        self.notes_ = {"sections": [section.id for section in sections]}

    def _predict(self, tiles):
        return np.tile(self.mean_ * sum(self.factors), (len(tiles), 1))

    def _get_state(self):
        return State(arrays={"mean": self.mean_, "number": np.array(3)}, meta=self.notes_)

    def _set_state(self, state):
        self.mean_, self.notes_ = state.arrays["mean"], state.meta
        assert int(state.arrays["number"]) == 3


METHODS = {"halves": Halves}


@pytest.fixture(scope="module")
def section():
    return make_sections(1, n_spots_side=4, n_genes=8, mpp=4.0)[0]


@pytest.fixture
def saved(section, tmp_path):
    return save_model(Halves(factors=(0.5, 3.0)).fit([section]), tmp_path / "run")


def test_a_saved_model_comes_back_whole(section, saved):
    before = Halves(factors=(0.5, 3.0)).fit([section])
    after = load_model(saved, methods=METHODS)
    np.testing.assert_array_equal(after.predict(section.tiles).X, before.predict(section.tiles).X)
    assert after == before
    assert (after.space_, after.spec_, after.provenance_) == (before.space_, before.spec_, before.provenance_)
    assert after.predict(section.tiles).uns["mclstexp"] == before.predict(section.tiles).uns["mclstexp"]
    assert after.notes_ == {"sections": ["P1_S1"]}
    assert sorted(path.name for path in saved.iterdir()) == ["model.json", "weights.safetensors"]


def test_saving_the_same_model_twice_gives_the_same_bytes(section, tmp_path):
    first, second = (save_model(Halves().fit([section]), tmp_path / name) for name in ("a", "b"))
    for name in ("model.json", "weights.safetensors"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_unfitted_models_are_refused(tmp_path):
    with pytest.raises(InputError, match="fitted model expected, found halves before fit"):
        save_model(Halves(), tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_a_model_is_replaced_only_where_that_is_allowed(section, saved):
    other = Halves(factors=(9.0,)).fit([section])
    with pytest.raises(InputError, match="already exists"):
        save_model(other, saved)
    save_model(other, saved, overwrite=True)
    assert load_model(saved, methods=METHODS).factors == (9.0,)


def test_other_files_are_never_replaced(section, tmp_path):
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(InputError, match="holds other files"):
        save_model(Halves().fit([section]), tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_failed_save_leaves_nothing(section, tmp_path, monkeypatch):
    model = Halves().fit([section])
    model.notes_ = {("not", "json"): 1}
    with pytest.raises(TypeError):
        save_model(model, tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_damaged_weights_are_refused(saved, damage):
    path = saved / "weights.safetensors"
    content = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(content[:-3] if damage == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=r"weights .* found (others|no such file)"):
        load_model(saved, methods=METHODS)


@pytest.mark.parametrize("text", ["", '{"format": 1', '{"format": 1}', "[1]", '{"hello": 2}', "\x00\xff"])
def test_damaged_descriptions_are_refused(saved, text):
    (saved / "model.json").write_text(text)
    with pytest.raises(InputError, match="description of a saved model expected"):
        load_model(saved, methods=METHODS)


def _edit(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_newer_formats_unknown_methods_and_options_are_refused(saved):
    with pytest.raises(InputError, match=r"known method expected .* found 'halves': install the package"):
        load_model(saved, methods={})
    _edit(saved, options={"factorz": [1.0]})
    with pytest.raises(InputError, match="no option 'factorz': did you mean 'factors'"):
        load_model(saved, methods=METHODS)
    _edit(saved, format=99)
    with pytest.raises(InputError, match=r"format 1 or older expected .* found format 99: install a newer"):
        load_model(saved, methods=METHODS)


def test_what_is_no_model_is_said(saved, tmp_path):
    for path, found in ((saved / "model.json", "a file"), (tmp_path, "another folder"), (tmp_path / "no", "nothing")):
        with pytest.raises(InputError, match=f"a saved model .* found {found}"):
            load_model(path, methods=METHODS)


def _verdicts(**changed):
    told = {"label": "halves", "tested_on": ["p1"], "n_sections": 1, "results": {}, "genes": ["g1", "g2"]}
    told |= {"verdict": ["", ""], "tested_pcc": [0.1, None], "ceiling": [0.2, 0.3], "share": [None, 0.5]}
    return {"verdicts": told | changed}


@pytest.mark.parametrize(
    "changed",
    [
        {"sections": ["a", "b"]},
        {"patients": "p1"},
        {"numerics": ["float32"]},
        {"min_counts": "many"},
        {"training_range": {"training_low": [0.0] * 7, "training_high": [1.0] * 8}},
        {"training_range": {"training_low": [0.0] * 8}},
        {"imputed": {"genes": ["g1", "g2"], "method": "spage", "n_cells": 9, "expected_pcc": [0.5]}},
        {"imputed": ["g1"]},
        _verdicts(tested_pcc=[0.1]),
        _verdicts(genes=["g1", "g1"]),
        _verdicts(tested_on="p1"),
    ],
)
def test_what_a_fit_cannot_have_remembered_is_refused(saved, changed):
    path = saved / "model.json"
    said = json.loads(path.read_text())
    said["provenance"] |= changed
    path.write_text(json.dumps(said))
    with pytest.raises(InputError, match=r"expected in .*model\.json, found .*copy the model again"):
        load_model(saved, methods=METHODS)


def test_what_was_told_to_a_model_comes_back(section, saved):
    model = load_model(saved, methods=METHODS)
    model.provenance_ |= _verdicts()
    again = load_model(save_model(model, saved.parent / "told"), methods=METHODS)
    assert again.provenance_ == model.provenance_
