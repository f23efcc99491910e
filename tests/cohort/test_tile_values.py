"""Which tiles speak for what: contributions add up to a linear model's risk, and lie where the slide has them."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from made_patients import made_patients, made_survival
from mclstexp.api.tile_values import explain_slide
from mclstexp.cohort import create_outcome_model
from mclstexp.cohort.config import CohortConfig
from mclstexp.cohort.tile_places import read_places
from mclstexp.cohort.tile_values import ATTENTION, EXACT, FIRST_ORDER, NO_CAUSE, RISK, tile_values
from mclstexp.core.cohort import ArrayBag, Outcomes
from mclstexp.core.errors import InputError
from mclstexp.io.outcome_models import save_outcome_model
from mclstexp.io.predictions import read_prediction
from mclstexp.io.slides import ArraySlide
from slowly import slowly

SHARES = {"n_prototypes": 3, "penalty": 1.0}
SMALL = {"width": 8, "hidden": 4, "epochs": 2}
LINEAR = {
    "mean_features": {"n_components": 3, "penalty": 1.0},
    "prototype_shares": SHARES,
    "prototype_x_pathway": SHARES,
    "clinical+prototype_x_pathway": SHARES,
}


@pytest.fixture(scope="module")
def patients():
    patients, drivers = made_patients(40)
    clinic = pd.DataFrame({"age": np.linspace(40, 80, 40)}, index=list(patients.ids))
    return replace(patients, covariates=clinic), drivers


def fitted(name, patients, *, kind="survival", **options):
    people, drivers = patients
    known = {
        "survival": lambda: made_survival(people, drivers[:, 0]),
        "binary": lambda: Outcomes.binary(people.ids, drivers[:, 0] > 0),
        "continuous": lambda: Outcomes.continuous(people.ids, 100 + 10 * drivers[:, 0]),
    }[kind]()
    return create_outcome_model(name, **options).fit(people, known)


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, "survival") for name in list(LINEAR)[:2]]
    + [("clinical+prototype_x_pathway", "survival"), slowly("prototype_x_pathway", "survival")]
    + [slowly("prototype_shares", "binary"), slowly("mean_features", "continuous")],
)
def test_what_tiles_add_sums_to_the_risk_of_a_linear_model(name, kind, patients):
    people = patients[0]
    model = fitted(name, patients, kind=kind, **LINEAR[name])
    one, other = people.subset(["p03"]), people.subset(["p17"])
    values = tile_values(model, one)
    assert values.exact
    assert values.says == (EXACT,)
    assert values.table[RISK].sum() == pytest.approx(values.of_tiles)
    # other tiles of the same patient change the risk by exactly what they add
    swapped = replace(one, bags=other.bags)
    moved = tile_values(model, swapped)
    assert values.risk - moved.risk == pytest.approx(values.of_tiles - moved.of_tiles, abs=1e-9)
    elsewhere = values.risk - values.of_tiles
    if kind == "survival" and model.takes == {"bags"}:  # nothing but tiles: all of the risk is theirs
        assert elsewhere == pytest.approx(0, abs=1e-9)
    kinds = values.table.filter(like="prototype")
    if "prototype" in name:
        np.testing.assert_allclose(kinds.sum(axis=1), 1)
    # the mean over training patients of what tiles add is 0: it is counted from their mean tissue
    adds = [tile_values(model, people.subset([who])).of_tiles for who in people.ids]
    without_products = name in ("mean_features", "prototype_shares")
    assert not without_products or np.mean(adds) == pytest.approx(0, abs=1e-9)


def test_logarithms_of_shares_do_not_add_up_and_it_is_said(patients):
    model = fitted("prototype_shares", patients, log_ratio=True, **SHARES)
    values = tile_values(model, patients[0].subset(["p03"]))
    assert not values.exact
    assert values.says == (FIRST_ORDER,)


@pytest.mark.parametrize("name", ["abmil", slowly("clinical+abmil")])
def test_attention_weighs_what_a_tile_would_say_alone_and_is_called_no_cause(name, patients):
    people = patients[0]
    model = fitted(name, patients, **SMALL)
    one = people.subset(["p05"])
    values = tile_values(model, one)
    assert values.says == (EXACT, NO_CAUSE)
    assert values.table[ATTENTION].mean() == pytest.approx(1)
    moved = tile_values(model, replace(one, bags=people.subset(["p06"]).bags))
    assert values.risk - moved.risk == pytest.approx(values.of_tiles - moved.of_tiles, abs=1e-5)
    if name == "abmil":
        assert values.of_tiles == pytest.approx(values.risk, abs=1e-5)


@pytest.mark.slow
def test_of_mmp_the_prototypes_attention_and_a_first_order(patients):
    model = fitted("mmp", patients, n_prototypes=3, width=8, epochs=2, n_models=2)
    values = tile_values(model, patients[0].subset(["p05"]))
    assert values.says == (FIRST_ORDER, NO_CAUSE)
    kinds = values.table.filter(like="prototype")
    # a tile's attention is its prototypes', as likely as it is of each
    alike = np.linalg.lstsq(kinds.to_numpy(), values.table[ATTENTION].to_numpy(), rcond=None)[0]
    np.testing.assert_allclose(kinds.to_numpy() @ alike, values.table[ATTENTION], atol=1e-6)
    assert (alike > 0).all()


@pytest.mark.parametrize(
    ("name", "options"), [("mcat", {"loss": "cox"}), slowly("mcat", {"n_bins": 2}), slowly("himt", {"n_models": 2})]
)
def test_of_coattention_a_few_more_of_a_tile_move_the_risk_as_it_says(name, options, patients):
    people, drivers = made_patients(40, n_scales=3 if name == "himt" else 1)
    small = {"width": 8, "n_heads": 2, "hidden": 4, "epochs": 3, "learning_rate": 1e-2} | options
    model = create_outcome_model(name, **small).fit(people, made_survival(people, drivers[:, 0]))
    one = people.subset(["p05"])
    values = tile_values(model, one)
    assert values.says == (FIRST_ORDER, NO_CAUSE)
    assert list(values.table) == [RISK, ATTENTION]
    assert values.table[ATTENTION].mean() == pytest.approx(1)
    assert values.of_tiles == pytest.approx(0, abs=1e-6), "more of all tiles is more of none"
    bag = one.bags[0]
    tiles = np.concatenate(list(bag.chunks()))
    n, times = len(tiles), 20
    steps = []
    for number in range(n):
        more = np.concatenate([np.repeat(tiles, times, axis=0), tiles[number : number + 1]])
        moved = model.predict(replace(one, bags=(ArrayBag(more, coarser=bag.coarser),))).risk[0]
        steps.append((moved - values.risk) * (n * times + 1))  # by the share that it gained
    told = values.table[RISK] * n
    assert np.corrcoef(steps, told)[0, 1] > 0.99
    assert np.abs(steps).sum() == pytest.approx(np.abs(told).sum(), rel=0.1)


def test_a_model_that_sees_no_tiles_is_refused(patients):
    with pytest.raises(InputError, match="a model that looks at tiles expected, found clinical, which does not"):
        tile_values(fitted("clinical", patients), patients[0].subset(["p03"]))


GRID = np.stack(np.meshgrid(np.arange(4), np.arange(3)), axis=-1).reshape(-1, 2) * 100.0 + 50
ABOUT = {"slide": "a", "mpp": "0.5", "size_px": "256", "encoder": "e"}
OF = {"slide_mpp": 0.25, "slide_size_px": [400, 300], "slide_file": "a.png", "slide_sha256": "0" * 64}


@pytest.fixture
def files(tmp_path, patients):
    """Features of a slide of two patients' tiles in the ways that they come, and a model of them."""
    features = np.concatenate(list(patients[0].bags[0].chunks()))[:8]
    features = np.concatenate([features, features[:4]])
    save_file({"features": features, "xy": GRID}, tmp_path / "a.safetensors", {**ABOUT, "of": json.dumps(OF)})
    save_file({"features": features, "xy": GRID}, tmp_path / "old.safetensors", ABOUT)
    with h5py.File(tmp_path / "clam.h5", "w") as file:
        file["features"], file["coords"] = features, (GRID - 50).astype(int)
    np.save(tmp_path / "bare.npy", features)
    model = fitted("prototype_shares", patients, **SHARES)
    save_outcome_model(model, tmp_path / "model")
    return tmp_path


def test_values_lie_where_the_tiles_do_and_are_read_as_a_prediction(files):
    said = explain_slide(files / "model", files / "a.safetensors", out=files / "tiles.h5ad")
    back = read_prediction(files / "tiles.h5ad")
    assert list(back.var_names) == [RISK, "prototype 1", "prototype 2", "prototype 3"]
    np.testing.assert_array_equal(back.obsm["spatial"], GRID)
    told = back.uns["mclstexp"]
    assert (told["slide_mpp"], told["tile_side_px"], told["slide_size_px"]) == (0.25, 512, [400, 300])
    assert back.X[:, 0].sum() + told["risk_elsewhere"] == pytest.approx(told["risk"], abs=1e-12)
    assert told["adds_up"]
    np.testing.assert_array_equal(back.X, said.X)
    assert list(back.var["unit"]) == ["log hazard", *["how likely it is one"] * 3]


def test_what_does_not_add_up_is_not_added(files, patients):
    model = fitted("prototype_shares", patients, log_ratio=True, **SHARES)
    told = explain_slide(model, files / "a.safetensors").uns["mclstexp"]
    assert not told["adds_up"]
    assert set(told) & {"risk_of_tiles", "risk_elsewhere"} == set()


def test_places_are_read_as_each_kind_of_file_has_them(files):
    old, clam = read_places(files / "old.safetensors"), read_places(files / "clam.h5")
    assert (old.side_px, old.slide_mpp) == (100, 1.28)  # tiles of 128 µm side by side, 100 pixels apart
    np.testing.assert_array_equal(clam.xy, GRID)
    assert (clam.side_px, clam.slide_mpp) == (100, None)
    slide = ArraySlide(np.zeros((300, 400, 3), np.uint8), mpp=0.5, id="a")
    assert clam.on(slide).slide_mpp == 0.5
    with pytest.raises(InputError, match=r"the slide that was embedded \(400 by 300 pixels\) expected"):
        read_places(files / "a.safetensors").on(ArraySlide(np.zeros((9, 9, 3), np.uint8), mpp=0.5, id="b"))
    with pytest.raises(InputError, match="found 6 of 12 off it"):
        clam.on(ArraySlide(np.zeros((300, 200, 3), np.uint8), mpp=0.5, id="b"))
    with pytest.raises(InputError, match=r"places of a slide's tiles in .* expected, found none"):
        read_places(files / "bare.npy")
    with pytest.raises(InputError, match=r"the scale of the slide .* expected in .*clam.h5, found none: name it with"):
        explain_slide(files / "model", files / "clam.h5")


def test_a_model_of_more_than_tiles_asks_for_the_patient(files, patients, tmp_path):
    model = fitted("clinical+prototype_shares", patients, **SHARES)
    with pytest.raises(InputError, match="covariates of the patient expected beside tiles for clinical"):
        explain_slide(model, files / "a.safetensors")
    table = pd.DataFrame({"patient": ["one", "one"], "slide": ["a", "old"], "age": [50, 50]})
    table.to_csv(tmp_path / "cohort.csv", index=False)
    config = CohortConfig(path=str(tmp_path / "cohort.csv"))
    with pytest.warns(UserWarning, match="the patient has 2 slides, and this one stands for all"):
        alone = explain_slide(model, files / "a.safetensors", cohort=config)
    both = explain_slide(model, files / "old.safetensors", cohort=replace(config, features=str(files_of(files))))
    told = both.uns["mclstexp"]
    # the two slides have the same tiles: each adds half of what the patient's tiles do
    assert both.X[:, 0].sum() == pytest.approx(told["risk_of_tiles"] / 2)
    assert alone.uns["mclstexp"]["risk"] == pytest.approx(told["risk"], abs=0.2)
    other = CohortConfig(path=str(tmp_path / "cohort.csv"), where={"slide": "old"})
    with pytest.raises(InputError, match="a patient with the slide a expected in cohort, found none"):
        explain_slide(model, files / "a.safetensors", cohort=other)


def files_of(files):
    folder = files / "features"
    folder.mkdir()
    for name in ("a", "old"):
        (folder / f"{name}.safetensors").write_bytes((files / f"{name}.safetensors").read_bytes())
    return folder


def test_the_command(said, files):
    out = files / "tiles.h5ad"
    code, text, _ = said("cohort", "explain", files / "model", files / "a.safetensors", "--out", out)
    assert code == 0
    assert "12 tiles, prototype_shares" in " ".join(text.split())
    assert "What tiles add is exact" in " ".join(text.split())
    code, _, errors = said("cohort", "explain", files / "model", files / "a.safetensors", "--out", out)
    assert (code, "--overwrite" in errors) == (2, True)


def test_a_slide_of_one_tile_is_a_patient_too(patients):
    people = patients[0]
    model = fitted("prototype_shares", patients, **SHARES)
    one = replace(people.subset(["p03"]), bags=(ArrayBag(np.zeros((1, 5), np.float32)),))
    values = tile_values(model, one)
    assert values.of_tiles == pytest.approx(values.risk, abs=1e-9)
