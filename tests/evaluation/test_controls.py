"""Controls: on the methods' encoder, and at the sight of the method that sees the most."""

import pytest

from mclstexp.core.predictor import options
from mclstexp.evaluation.controls import at_sight, common_sight, is_control, make_control, missing_controls
from mclstexp.evaluation.experiment import experiment_of
from mclstexp.methods import create
from small_methods import ENCODER

SIGHT = {"view_widths": (2.0,), "context_radii_um": (300.0,), "colour": True}


def _experiment(**given):
    return experiment_of({"encoder": ENCODER, **given}, where="here")


def test_a_control_sees_what_the_method_sees_that_sees_the_most():
    wide = create("bleep", encoder=ENCODER, **SIGHT)
    made = missing_controls({"wide": wide, "near": create("knn", encoder=ENCODER)})
    assert {"mean", "coordinates", "colour", "density", "ridge"} < set(made)
    for name in ("knn", "pls", "ridge"):
        control = made[f"{name}, common sight"]
        assert control.name == name
        assert control.sight == wide.sight
        assert is_control(f"{name}, common sight", control)
    assert made["ridge"].sight.is_plain
    assert not is_control("pls", create("pls")), "at its own sight it is a method"


def test_where_all_see_the_tile_alone_the_common_sight_is_the_tile():
    made = missing_controls({"net": create("st_net", encoder=ENCODER)})
    assert {label for label in made if "common" in label} == {"pls, common sight"}
    assert made["pls, common sight"].sight.is_plain
    assert not any("common" in label for label in missing_controls({"m": create("mean")}))


@pytest.mark.parametrize("given", [{"train_encoder": True}, {"checkpoint": "f.pt"}])
def test_who_learns_from_pixels_has_no_sight_to_share(given):
    method = create("bleep", encoder=ENCODER, **given)
    assert common_sight([method]) is None
    assert at_sight(method, SIGHT) is None
    assert at_sight(create("mean"), SIGHT) is None


def test_a_common_sight_is_asked_of_all_and_a_methods_own_counts_for_more():
    experiment = _experiment(
        sight=SIGHT,
        methods={"st_net": {}, "knn": {"colour": False}, "tuned": {"method": "bleep", "train_encoder": True}},
    )
    made = experiment.make_methods()
    assert made["st_net"].sight.text() == "tile, x2, 300 µm around, colour"
    assert made["knn"].sight.text() == "tile, x2, 300 µm around"
    assert made["tuned"].sight.is_plain
    assert made["pls, common sight"].sight == made["st_net"].sight


def test_each_may_be_compared_at_its_own_sight_too():
    experiment = _experiment(sight={**SIGHT, "own_too": True}, methods={"st_net": {}, "mean": {}})
    made = experiment.make_methods()
    assert made["st_net"].sight.is_plain
    assert made["st_net, common sight"].sight.colour
    assert "mean, common sight" not in made


@pytest.mark.parametrize("sight", [None, SIGHT, {**SIGHT, "own_too": True}])
def test_a_method_made_alone_is_the_one_of_the_table(sight):
    given = {} if sight is None else {"sight": sight}
    experiment = _experiment(**given, methods={"bleep": {"view_widths": [4.0]}, "mean": {}})
    for label, method in experiment.make_methods().items():
        alone = experiment.make_method(label)
        assert (type(alone), options(alone)) == (type(method), options(method)), label


def test_a_control_without_a_sight_is_itself():
    assert make_control("mean", encoder=ENCODER).name == "mean"
    assert make_control("ridge", encoder=ENCODER).encoder == ENCODER
