"""Fitted models of outcomes on disk: the same numbers again, and a sentence for whatever is no such model."""

import json

import numpy as np
import pytest

from mclstexp.cohort import create_outcome_model
from mclstexp.core.errors import InputError
from mclstexp.io.models import load_model
from mclstexp.io.outcome_models import load_outcome_model, save_outcome_model
from mclstexp.io.synthetic.patients import World


@pytest.fixture(scope="module")
def world():
    return World(n_tiles=30).make(40)


@pytest.fixture(scope="module")
def fitted(world):
    model = create_outcome_model("clinical+prototype_x_pathway", n_prototypes=3, penalty=30.0)
    return model.fit(world.patients, world.outcomes)


def test_a_model_says_after_reading_what_it_said_before(world, fitted, tmp_path):
    again = load_outcome_model(save_outcome_model(fitted, tmp_path / "model"))
    said, before = (m.predict(world.patients, at_months=(6, 12)) for m in (again, fitted))
    np.testing.assert_array_equal(said.risk, before.risk)
    np.testing.assert_array_equal(said.survival, before.survival)
    assert again.provenance_ == fitted.provenance_
    assert again.name == "clinical+prototype_x_pathway"
    for name, table in fitted.explain().items():
        assert table.equals(again.explain()[name]), name


def test_what_is_in_the_way_stays_and_what_is_not_fitted_is_refused(fitted, tmp_path):
    save_outcome_model(fitted, tmp_path / "model")
    with pytest.raises(InputError, match=r"the model cannot be written, .* already exists"):
        save_outcome_model(fitted, tmp_path / "model")
    save_outcome_model(fitted, tmp_path / "model", overwrite=True)
    with pytest.raises(InputError, match="a fitted model expected, found clinical before fit"):
        save_outcome_model(create_outcome_model("clinical"), tmp_path / "other")


def test_models_of_two_questions_are_not_taken_for_each_other(fitted, tmp_path):
    folder = save_outcome_model(fitted, tmp_path / "model")
    with pytest.raises(InputError, match=r"a model of expression expected in .*, found one of patients' outcomes"):
        load_model(folder, methods={})
    change(folder, lambda told: told.pop("question"))
    with pytest.raises(InputError, match=r"a model of patients' outcomes expected in .*, found another"):
        load_outcome_model(folder)


def change(folder, how):
    path = folder / "model.json"
    told = json.loads(path.read_text())
    how(told)
    path.write_text(json.dumps(told))


@pytest.mark.parametrize(
    "how",
    [
        lambda told: told.update(format=99),
        lambda told: told.update(method="clinical+nobody"),
        lambda told: told.update(method="linear"),
        lambda told: told.update(weights_sha256="0"),
        lambda told: told.pop("options"),
        lambda told: told["options"].update(n_prototypes="many"),
        lambda told: told["options"].update(unheard=1),
        lambda told: told["provenance"].update(patients=3),
        lambda told: told["state"].update(kind=["other"]),
        lambda told: told["state"].update(kind=3),
        lambda told: told["state"].update(dim=-1),
        lambda told: told["state"].update(columns=[1]),
        lambda told: told["state"].pop("centre"),
        lambda told: told["state"].update(names=["a"]),
        lambda told: told["state"].update(clinic=[{"name": 3}]),
        lambda told: told["state"].update(pathways=["a"]),
        lambda told: told["state"].pop("shown"),
        lambda told: told["state"]["groups"].pop(),
        lambda told: told["state"]["shown"]["prototype"].__setitem__(0, 99),
    ],
)
def test_a_damaged_description_is_one_sentence(how, fitted, tmp_path):
    folder = save_outcome_model(fitted, tmp_path / "model")
    change(folder, how)
    with pytest.raises(InputError) as caught:
        load_outcome_model(folder)
    assert len(str(caught.value)) < 400


def test_columns_that_are_not_those_weighed_are_refused_when_asked(fitted, world, tmp_path):
    folder = save_outcome_model(fitted, tmp_path / "model")
    change(folder, lambda told: told["state"]["names"].__setitem__(0, "other"))
    model = load_outcome_model(folder)
    with pytest.raises(InputError, match="columns of a saved model expected, found others: copy the model again"):
        model.predict(world.patients)
