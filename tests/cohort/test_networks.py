"""Networks of patients: what each of them keeps to, whatever the outcome."""

import numpy as np
import pandas as pd
import pytest

from made_patients import made_patients, made_survival
from mclstexp.cohort import create_outcome_model
from mclstexp.cohort.networks.feature_scale import FeatureScale
from mclstexp.cohort.networks.read_out import ReadOut
from mclstexp.core.cohort import ArrayBag, Outcomes, Patients
from mclstexp.core.errors import InputError
from mclstexp.core.options import describe_options
from slowly import slowly

SMALL = {"width": 16, "epochs": 12, "learning_rate": 3e-3}
FEW = {"width": 16, "epochs": 5, "learning_rate": 1e-2}
READERS = {
    "pathway_mlp": SMALL,
    "abmil": SMALL | {"hidden": 8},
    "mcat": FEW | {"n_heads": 2, "hidden": 8, "n_tiles": 10},
    "himt": FEW | {"n_heads": 2, "hidden": 8, "n_tiles": 10},
    "mmp": SMALL | {"n_prototypes": 4, "n_models": 2},
}
QUICK = [("mmp", "survival")]
LEARNT = {}


def outcomes_of(kind, patients, drivers):
    if kind == "survival":
        return made_survival(patients, 1.5 * drivers[:, 0])
    if kind == "binary":
        return Outcomes.binary(patients.ids, drivers[:, 0] > 0.2)
    return Outcomes.continuous(patients.ids, 50 + 10 * drivers[:, 0])


def fitted(name, kind):
    """Return a model, fitted once for all tests, and its patients."""
    patients, drivers = made_patients(n_scales=3 if name == "himt" else 1)
    if (name, kind) not in LEARNT:
        LEARNT[name, kind] = make(name).fit(patients, outcomes_of(kind, patients, drivers))
    return LEARNT[name, kind], patients, drivers


def make(name, **options):
    return create_outcome_model(name, **READERS[name] | options)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, kind) if name == "pathway_mlp" or (name, kind) in QUICK else slowly(name, kind)
        for name in READERS
        for kind in Outcomes.kinds
        if name in ("pathway_mlp", "abmil", "mmp") or kind == "survival"
    ],
)
def test_what_speaks_is_heard_and_kept(name, kind):
    model, patients, drivers = fitted(name, kind)
    said = model.predict(patients)
    assert np.corrcoef(said.risk, drivers[:, 0])[0, 1] > 0.6
    if kind == "continuous":
        assert 40 < said.value.mean() < 60
    again = make(name)
    again.set_state(model.get_state())
    again.provenance_ = model.provenance_
    assert np.array_equal(again.predict(patients).risk, said.risk)


@pytest.mark.parametrize("name", ["pathway_mlp", "abmil", slowly("mcat"), slowly("himt"), "mmp"])
def test_a_patient_is_its_row_and_survival_falls(name):
    model, patients, _ = fitted(name, "survival")
    said = model.predict(patients, at_months=(3, 12, 48))
    some = model.predict(patients.subset(["p07", "p03"]), at_months=(3, 12, 48))
    assert np.allclose(some.risk, said.risk[[7, 3]], atol=1e-5)
    assert np.allclose(some.survival, said.survival[[7, 3]], atol=1e-5)
    assert (np.diff(said.survival, axis=1) <= 0).all()
    assert np.corrcoef(said.survival[:, 1], said.risk)[0, 1] < -0.5


@pytest.mark.parametrize("name", ["pathway_mlp"])
def test_the_same_seed_gives_the_same_numbers_and_order_of_genes_does_not_count(name):
    model, patients, drivers = fitted(name, "binary")
    turned = patients.genes.iloc[:, ::-1]
    other = Patients(patients.ids, bags=patients.bags, genes=turned, gene_sets=dict(patients.gene_sets))
    again = make(name).fit(other, outcomes_of("binary", patients, drivers))
    assert np.array_equal(again.predict(patients).risk, model.predict(patients).risk)
    assert np.array_equal(model.predict(other).risk, model.predict(patients).risk)


@pytest.mark.parametrize(
    ("name", "loss"),
    [slowly("pathway_mlp", "hazards"), slowly("pathway_mlp", "cox"), slowly("abmil", "hazards"), slowly("mcat", "cox")],
)
def test_either_loss_and_the_mean_of_two(name, loss):
    patients, drivers = made_patients()
    epochs = {"pathway_mlp": 60, "abmil": 8, "mcat": 5}[name]
    model = make(name, loss=loss, n_models=1 if name == "mcat" else 2, epochs=epochs, learning_rate=1e-2).fit(
        patients, outcomes_of("survival", patients, drivers)
    )
    assert np.corrcoef(model.predict(patients).risk, drivers[:, 0])[0, 1] > 0.6


def test_scores_in_place_of_genes():
    patients, drivers = made_patients()
    alone = Patients(patients.ids, pathways=patients.pathways)
    model = make("pathway_mlp", reads="scores", epochs=40).fit(alone, outcomes_of("survival", alone, drivers))
    assert np.corrcoef(model.predict(alone).risk, drivers[:, 0])[0, 1] > 0.6


@pytest.mark.slow
def test_within_sites_a_difference_of_sites_is_nobodys():
    patients, drivers = made_patients()
    scores = pd.DataFrame({"site": np.arange(40) % 4 + 0.0, "own": drivers[:, 0]}, index=list(patients.ids))
    alone = Patients(patients.ids, sites=patients.sites, pathways=scores)
    outcomes = made_survival(alone, 2.0 * scores["site"].to_numpy() + drivers[:, 0])
    said = [
        make("pathway_mlp", reads="scores", by_site=by_site, batch_size=40, epochs=40).fit(alone, outcomes)
        for by_site in (False, True)
    ]
    across, within = (abs(np.corrcoef(model.predict(alone).risk, scores["site"])[0, 1]) for model in said)
    assert across > 0.8
    assert within < across - 0.3
    with pytest.raises(InputError, match="the site of each patient expected for pathway_mlp with by_site"):
        make("pathway_mlp", reads="scores", by_site=True).fit(Patients(patients.ids, pathways=scores), outcomes)


def test_bins_hold_equally_many_events_and_close_on_the_right():
    ids = [f"p{i}" for i in range(12)]
    time = [1, 2, 3, 4, 5, 6, 7, 8, 2, 8, 9, 30]
    outcomes = Outcomes.survival(ids, time=time, event=[1] * 8 + [0] * 4)
    read = ReadOut.fit(outcomes, loss="hazards", n_bins=4, name="mcat")
    assert read.edges.tolist() == [0, 2.75, 4.5, 6.25, 30]
    with pytest.raises(InputError, match="10 events or more expected for the 5 time bins of mcat, found 8"):
        ReadOut.fit(outcomes, loss="hazards", n_bins=5, name="mcat")
    at_once = Outcomes.survival(ids, time=[4] * 7 + [9] * 5, event=[1] * 8 + [0] * 4)
    with pytest.warns(UserWarning, match="2 time bins are left of 4"):
        assert ReadOut.fit(at_once, loss="hazards", n_bins=4, name="mcat").edges.tolist() == [0, 4, 9]


def test_tiles_say_how_much_they_add():
    model, patients, _ = fitted("abmil", "survival")
    name, tiles = next(iter(model.explain_tiles(patients)))
    assert (name, len(tiles)) == ("p00", patients.bags[0].n_tiles)
    assert tiles["weight"].mean() == pytest.approx(1)
    assert tiles["risk"].mean() == pytest.approx(model.predict(patients).risk[0], abs=1e-5)
    means = patients.bags[0].take(range(len(tiles))).mean(axis=1)
    assert np.corrcoef(tiles["risk"], means)[0, 1] > 0.5


def test_the_scale_of_tiles_is_that_of_patients_counted_alike():
    bags = ArrayBag(np.full((10, 2), 1.0)), ArrayBag(np.full((1000, 2), 3.0)), None
    scale = FeatureScale.fit(Patients(("a", "b", "c"), bags=bags))
    assert scale.mean.tolist() == [2, 2]
    assert scale.spread.tolist() == [1, 1]
    constant = FeatureScale.fit(Patients(("a",), bags=(ArrayBag(np.full((10, 1), 0.1)),)))
    assert constant.spread.tolist() == [1]


@pytest.mark.slow
def test_slides_at_too_few_or_different_scales():
    patients, drivers = made_patients(n_scales=1)
    outcomes = outcomes_of("survival", patients, drivers)
    with pytest.warns(UserWarning, match="looks at tiles of three scales .* these slides have one"):
        model = make("himt", epochs=1).fit(patients, outcomes)
    with pytest.raises(InputError, match="tiles of 1 scales expected for this himt, found 3 of 'p00'"):
        model.predict(made_patients(n_scales=3)[0])


def test_groups_without_a_measured_gene_are_refused():
    patients, drivers = made_patients()
    bare = Patients(patients.ids, genes=patients.genes, gene_sets={"a": ("nobody",)})
    with pytest.raises(InputError, match="gene sets with measured genes expected for pathway_mlp, found none among 1"):
        make("pathway_mlp").fit(bare, outcomes_of("survival", patients, drivers))


@pytest.mark.parametrize("name", READERS)
def test_every_option_has_its_sentence(name):
    told = describe_options(type(create_outcome_model(name)))
    assert not [option.name for option in told if not option.text]


@pytest.mark.parametrize(("option", "value"), [("epochs", 0), ("alpha", 1.0), ("learning_rate", 0.0), ("n_bins", 1)])
def test_options_that_cannot_be(option, value):
    with pytest.raises(InputError, match=f"expected as option {option} of abmil, found {value}"):
        create_outcome_model("abmil", **{option: value})
