"""Options of a fitted method stay as they were fitted, all through; nothing in them tells where it was made."""

import copy
import json
import pickle
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.options import FixedMapping, fixed, without_paths
from mclstexp.core.predictor import Predictor, State, options
from mclstexp.methods import create
from small_methods import ENCODER, small_sections


@dataclass
class Scaled(Predictor):
    """A mean times a few factors."""

    name = "scaled"

    factors: list[float] = field(default_factory=lambda: [1.0, 2.0])
    """Multiplied."""
    named: dict[str, list[float]] = field(default_factory=dict)
    """More."""

    def _fit(self, sections):
        self.mean_ = self.space_(sections[0].counts).mean(axis=0)

    def _predict(self, tiles):
        return np.tile(self.mean_ * np.prod(self.factors), (len(tiles), 1))

    def _get_state(self):
        return State({"mean": self.mean_}, {})

    def _set_state(self, state):
        self.mean_ = state.arrays["mean"]


@pytest.fixture(scope="module")
def sections():
    return small_sections(2)


def test_an_option_cannot_be_set_after_fit_and_can_before(sections):
    model = Scaled()
    model.factors = [3.0]
    model.fit(sections)
    before = model.predict(sections[1].tiles)
    for change in (lambda: setattr(model, "factors", [9.0]), lambda: delattr(model, "factors")):
        with pytest.raises(InputError, match="stay as they were fitted, found factors of scaled set: create a new one"):
            change()
    assert options(model)["factors"] == (3.0,)
    assert np.array_equal(model.predict(sections[1].tiles).X, before.X)
    assert model.fit(sections[1:]).is_fitted, "fitted again, with the same options"


def test_the_option_of_the_finding_cannot_move_predictions_any_more(sections):
    model = create("pls", encoder=ENCODER, n_components=2, context_radii_um=[300.0]).fit(sections)
    with pytest.raises(InputError, match="found context_radii_um of pls set"):
        model.context_radii_um = ()
    assert model.provenance_["options"]["context_radii_um"] == model.context_radii_um == (300.0,)


def test_values_inside_options_are_the_methods_own_and_closed(sections):
    factors, named = [2.0], {"a": [1.0]}
    model = Scaled(factors, named).fit(sections)
    factors.append(5.0)
    named["a"].append(1.0)
    assert options(model) == {"factors": (2.0,), "named": {"a": (1.0,)}}
    for change in (
        lambda: model.named.update(b=1),
        lambda: model.named.pop("a"),
        lambda: model.named.__setitem__("a", 1),
        model.named.clear,
    ):
        with pytest.raises(TypeError, match="cannot be changed"):
            change()
    array = fixed(np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_fixed_mappings_are_copied_pickled_and_written(sections):
    model = Scaled(named={"a": [1.0]}).fit(sections)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert again == model
        assert isinstance(again.named, FixedMapping)
        assert np.array_equal(again.predict(sections[1].tiles).X, model.predict(sections[1].tiles).X)
    assert json.loads(json.dumps(options(model))) == {"factors": [1.0, 2.0], "named": {"a": [1.0]}}


@pytest.mark.parametrize(
    ("given", "travels"),
    [
        ("densenet121", "densenet121"),
        ("hf-hub:OWNER/MODEL", "hf-hub:OWNER/MODEL"),
        ("random:test_efficientnet", "random:test_efficientnet"),
        ("vit@/home/anna/w.safetensors", "vit@w.safetensors"),
        ("vit@../anna/w.pt", "vit@w.pt"),
        ("vit@anna/w.pt", "vit@w.pt"),
        (r"vit@C:\Users\anna\w.pt", "vit@w.pt"),
        ("vit@w.pt", "vit@w.pt"),
        ("/home/anna/model.pt", "model.pt"),
        ("~anna/model.pt", "model.pt"),
        (r"C:\Users\anna\model.pt", "model.pt"),
        (Path("/home/anna/model.pt"), "model.pt"),
        (0.5, 0.5),
        (None, None),
    ],
)
def test_of_a_path_the_files_name_alone_travels(given, travels):
    assert without_paths({"x": given}) == {"x": travels}


def test_weights_of_a_file_travel_as_their_hash():
    said = without_paths({"encoder": "vit@/home/anna/w.pt", "checkpoint": "/home/anna/c.pt"}, weights="0123")
    assert said == {"encoder": "vit@weights:0123", "checkpoint": "c.pt"}
    assert without_paths({"encoder": "hf-hub:A/B"}, weights="0123") == {"encoder": "hf-hub:A/B"}
