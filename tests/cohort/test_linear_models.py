"""Models of patients that are no networks: what each promises, on made-up patients."""

import numpy as np
import pandas as pd
import pytest

from mclstexp.cohort import create_outcome_model
from mclstexp.cohort.linear.clinic import Clinic
from mclstexp.core.cohort import ArrayBag, Outcomes, Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import options
from mclstexp.io.synthetic.patients import World
from slowly import slowly

SHARES = {"n_prototypes": 4}
MODELS = {
    "km": {},
    "clinical": {},
    "mean_features": {"n_components": 5},
    "prototype_shares": SHARES | {"log_ratio": True},
    "pathway_scores": {"l1_ratio": 0.5},
    "prototype_x_pathway": SHARES | {"reads": "genes"},
    "clinical+mean_features": {"n_components": 5},
    "clinical+pathway_scores": {"reads": "genes"},
    "clinical+prototype_shares": SHARES,
    "clinical+prototype_x_pathway": SHARES | {"by_site": True, "penalty": 30.0},
}


@pytest.fixture(scope="module")
def world():
    made = World(n_tiles=40).make(60)
    clinic = made.patients.covariates.assign(sex=np.where(np.arange(60) % 2, "female", "male"))
    clinic.loc["patient 3", ["stage", "sex"]] = None
    return Patients(**{**vars(made.patients), "covariates": clinic}), made.outcomes


@pytest.fixture(scope="module")
def outcomes(world):
    patients, survival = world
    number = patients.pathways["pathway 1"].to_numpy() * 10 + 100
    return {
        "survival": survival,
        "binary": Outcomes.binary(patients.ids, number > 100),
        "continuous": Outcomes.continuous(patients.ids, number),
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, "survival") for name in MODELS]
    + [(name, kind) for kind in ("binary", "continuous") for name in ("km", "clinical", "clinical+prototype_x_pathway")]
    + [slowly("pathway_scores", "continuous"), ("mean_features", "binary")],
)
def test_every_model_keeps_its_promises(name, kind, world, outcomes):
    patients, known = world[0], outcomes[kind]
    train, test = patients.subset(patients.ids[:45]), patients.subset(patients.ids[45:])
    model = create_outcome_model(name, **MODELS[name]).fit(train, known)
    said = model.predict(test, at_months=(6, 24))
    assert model.name == model.provenance_["method"] == name
    for one in (test.ids[3], test.ids[-1]):  # a row is that of any batch
        alone = model.predict(test.subset([one]), at_months=(6, 24))
        row = test.ids.index(one)
        np.testing.assert_allclose(alone.risk, said.risk[[row]], rtol=1e-9, atol=1e-12)
        if kind == "survival":
            np.testing.assert_allclose(alone.survival, said.survival[[row]], rtol=1e-9)
    again = type(model)(**options(model))
    again.set_state(model.get_state())
    again.provenance_ = model.provenance_
    np.testing.assert_array_equal(again.predict(test).risk, said.risk)
    np.testing.assert_allclose(
        model.predict(train).risk, again.predict(train.subset(train.ids[::-1])).risk[::-1], rtol=1e-9, atol=1e-12
    )
    if kind == "survival":
        assert ((said.survival >= 0) & (said.survival <= 1)).all()
        assert (np.diff(said.survival, axis=1) <= 0).all()
    elif kind == "binary":
        assert ((said.value > 0) & (said.value < 1)).all()
    if "pathway" in name and kind != "survival":  # that number is a pathway's score
        truth = known.subset(test.ids).value
        assert np.corrcoef(said.risk, truth)[0, 1] > 0.6
    if kind == "continuous":
        assert abs(said.value.mean() - 100) < 10


def test_nothing_is_known_of_a_patient_but_the_training_patients_curve():
    ids = ("a", "b", "c", "d")
    patients = Patients(ids=ids)
    model = create_outcome_model("km").fit(patients, Outcomes.survival(ids, time=[2, 4, 4, 6], event=[1, 1, 1, 0]))
    said = model.predict(patients, at_months=(1, 2, 4, 9))
    np.testing.assert_allclose(said.survival, [[1, 0.75, 0.25, 0.25]] * 4)
    assert not said.risk.any()
    assert create_outcome_model("km").fit(patients, Outcomes.binary(ids, [0, 0, 0, 1])).predict(
        patients
    ).value == pytest.approx([0.25] * 4)


def test_covariates_become_columns_by_hand():
    index = list("abcde")
    frame = pd.DataFrame(
        {
            "age": [50, 60, None, 70, 80],
            "sex": ["male", "female", "male", None, "male"],
            "known": [True, False, True, True, True],
            "grade": [1, None, None, None, None],
        },
        index=index,
    )
    with pytest.warns(UserWarning, match=r"fewer than 80% of the training patients are left out: grade \(20%\)"):
        clinic = Clinic.fit(frame, min_known=0.8)
    columns = clinic.columns(frame)
    assert columns.names == ("age", "age: not known", "sex: male", "sex: not known", "known")
    np.testing.assert_array_equal(columns.values[:, 1], [0, 0, 1, 0, 0])
    known = [[1, 0, 1], [0, 0, 0], [1, 0, 1], [np.nan, 1, 1], [1, 0, 1]]
    np.testing.assert_array_equal(columns.values[:, 2:], known)
    with pytest.raises(InputError, match=r"a sex that training patients had \(female, male\) expected, found 'm'"):
        clinic.columns(frame.assign(sex="m"))
    with pytest.raises(InputError, match="a number for each patient expected as age, found 'old'"):
        clinic.columns(frame.assign(age="old"))
    with pytest.raises(InputError, match=r"at most 20 categories of who expected, found 25 \(0, 1, 10, …\)"):
        Clinic.fit(pd.DataFrame({"who": [str(k) for k in range(25)]}), min_known=0)


def test_what_is_not_known_is_the_training_mean_and_a_column_says_so_where_it_often_is(world, outcomes):
    patients = world[0]
    often = patients.covariates.assign(stage=patients.covariates["stage"].where(np.arange(60) > 10))
    patients = Patients(**{**vars(patients), "covariates": often})
    model = create_outcome_model("clinical").fit(patients, outcomes["survival"])
    assert set(model.explain()["coefficients"]["column"]) == {"age", "stage", "stage: not known", "sex: male"}
    one = patients.subset(["patient 1"])
    said = [
        model.predict(Patients(ids=one.ids, covariates=one.covariates.assign(age=age))).risk
        for age in (np.nan, often["age"].mean())
    ]
    np.testing.assert_allclose(*said)


def test_the_clinic_goes_free_beside_a_model_and_alone_is_held_back(world, outcomes):
    patients, known = world[0], outcomes["survival"]
    both = create_outcome_model("clinical+pathway_scores", penalty=1e9).fit(patients, known)
    alone = create_outcome_model("clinical", penalty=1e-9).fit(patients, known)
    np.testing.assert_allclose(both.predict(patients).risk, alone.predict(patients).risk, atol=1e-4)
    held = create_outcome_model("clinical", penalty=1e9).fit(patients, known)
    assert np.abs(held.predict(patients).risk).max() < 1e-4


@pytest.mark.parametrize("name", ["clinical+clinical", "clinical+km"])
def test_what_adds_nothing_to_the_clinic_is_refused(name):
    with pytest.raises(InputError, match="a model that looks at more than the clinic expected after clinical"):
        create_outcome_model(name)


def test_a_site_that_dies_early_is_no_risk_where_patients_are_compared_within_sites():
    rng = np.random.default_rng(0)
    ids = tuple(f"p{number}" for number in range(120))
    site = np.arange(120) % 4
    frame = pd.DataFrame({"stain": site + rng.normal(size=120)}, index=list(ids))
    patients = Patients(ids=ids, sites=tuple(map(str, site)), covariates=frame)
    known = Outcomes.survival(ids, time=rng.exponential(np.exp(-site)), event=np.ones(120))
    weights = [
        create_outcome_model("clinical", by_site=by_site).fit(patients, known).weights_.coefficients.item()
        for by_site in (False, True)
    ]
    assert weights[0] > 0.4
    assert abs(weights[1]) < 0.3
    with pytest.raises(InputError, match="sites expected for clinical by site, found none"):
        create_outcome_model("clinical", by_site=True).fit(Patients(ids=ids, covariates=frame), known)


def test_what_a_tile_adds_is_what_its_slide_would_gain_of_more_such_tiles(world, outcomes):
    patients = world[0]
    for name in ("mean_features", "prototype_shares", "clinical+prototype_x_pathway"):
        model = create_outcome_model(name, **MODELS[name]).fit(patients, outcomes["survival"])
        one = patients.subset(["patient 7"])
        ((who, tiles),) = model.explain_tiles(one)
        assert (who, len(tiles)) == ("patient 7", 40)
        assert model.tiles_add_up == ("log_ratio" not in MODELS[name])
        features = one.bags[0].take(np.arange(40))
        worst = features[[int(tiles["risk"].argmax())]]
        more = Patients(**{**vars(one), "bags": (ArrayBag(np.vstack([features, np.repeat(worst, 4, axis=0)])),)})
        assert model.predict(more).risk > model.predict(one).risk


def test_products_are_shown_by_name_and_prototypes_by_their_tiles(world, outcomes):
    patients = world[0]
    model = create_outcome_model("prototype_x_pathway", n_prototypes=3).fit(patients, outcomes["survival"])
    said = model.explain()
    assert said["products"].shape == (3, 8)
    assert list(said["products"].columns) == list(patients.pathways.columns)
    turned = patients.pathways[patients.pathways.columns[::-1]]
    other = Patients(**{**vars(patients), "pathways": turned})
    np.testing.assert_array_equal(model.predict(other).risk, model.predict(patients).risk)
    assert set(said["tiles"]["prototype"]) == set(said["prototypes"]["prototype"])


def test_pathways_without_a_score_are_left_out_aloud(world, outcomes):
    patients = world[0]
    sets = {"few": (*patients.gene_sets["pathway 1"][:3], "A", "B", "C"), "own": patients.gene_sets["pathway 2"]}
    some = Patients(**{**vars(patients), "gene_sets": sets})
    with pytest.warns(UserWarning, match="1 of 2 pathways have too few genes for a score and are left out: few"):
        model = create_outcome_model("pathway_scores", reads="genes").fit(some, outcomes["survival"])
    assert model.pathways_.names == ("own",)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("clinical", {"penalty": 0.0}),
        ("clinical", {"min_known": 2.0}),
        ("mean_features", {"n_components": 0}),
        ("pathway_scores", {"l1_ratio": 1.5}),
        ("pathway_scores", {"penalty": 1.0, "l1_ratio": 0.5}),
        ("prototype_shares", {"n_prototypes": 1}),
        ("prototype_shares", {"epsilon": 0.0}),
        ("prototype_x_pathway", {"penalty": -1.0}),
    ],
)
def test_options_that_make_no_sense_are_refused(name, wrong):
    with pytest.raises(InputError, match="expected"):
        create_outcome_model(name, **wrong)


@pytest.mark.parametrize("name", ["clinical", "pathway_scores", "clinical+pathway_scores", "mean_features"])
def test_patients_who_are_all_alike_get_one_risk_aloud(name, world, outcomes):
    patients = world[0]
    alike = {
        "covariates": pd.DataFrame({"stage": 1}, index=patients.covariates.index),
        "pathways": patients.pathways * 0,
        "bags": tuple(ArrayBag(np.ones((3, 2))) for _ in patients.ids),
    }
    same = Patients(**{**vars(patients), **alike})
    for kind in ("survival", "binary"):
        with pytest.warns(UserWarning, match="columns tells the training patients apart: all get one risk"):
            model = create_outcome_model(name, **({"l1_ratio": 0.5} if "pathway" in name else {})).fit(
                same, outcomes[kind]
            )
        assert len(set(model.predict(same).risk.round(12))) == 1


def test_one_event_is_too_few_for_a_free_clinic_and_is_said(world):
    patients, known = world
    one = Outcomes.survival(patients.ids, time=known.time, event=np.arange(60) == 5)
    with pytest.warns(UserWarning, match="tell the outcomes of the training patients apart without error"):
        model = create_outcome_model("clinical+pathway_scores").fit(patients, one)
    said = model.predict(patients, at_months=(1e-3, 1e9)).survival
    assert ((said >= 0) & (said <= 1)).all()
