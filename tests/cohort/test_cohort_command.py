"""`mclstexp cohort check | evaluate | fit | predict`, and the functions behind them."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

import mclstexp as mx
from made_cohort import made_table, written
from mclstexp.core.errors import InputError
from mclstexp.io.models import load_model
from mclstexp.io.outcome_models import load_outcome_model
from mclstexp.methods import list_methods

OUTCOME = ("--outcome", "os:os_days,os_event")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return written(made_table(120), tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="module")
def model(table):
    folder = table.parent / "model"
    mx.fit_outcome(mx.read_cohort(table, outcome=OUTCOME[1]), out=folder)
    return folder


def test_check_says_what_there_is_and_what_to_be_wary_of(said, table, tmp_path):
    code, out, err = said("cohort", "check", table, *OUTCOME)
    assert code == 0
    assert "120" in out
    assert "median follow-up" in out
    assert "nothing to be wary of was found" in out
    bare = written(made_table(30).drop(columns=["site", "stage"]), tmp_path)
    code, out, err = said("cohort", "check", bare, *OUTCOME)
    assert code == 0
    assert "warning: no column says where patients were treated" in err
    assert "warning: no covariate says the stage" in err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("check", "absent.csv"), "a table of patients (.csv, .tsv or .parquet) expected"),
        (("check", "{table}", "--outcome", "os:os_day,os_event"), "did you mean 'os_days'?"),
        (("check", "{table}", "--where", "sex"), "where must be written NAME=VALUE, found 'sex'"),
        (("check", "{table}", "--unit", "weeks"), "weeks"),
        (("evaluate", "{table}", *OUTCOME, "--out", "{out}", "--models", "clinicl"), "did you mean 'clinical'?"),
        (("evaluate", "{table}", *OUTCOME, "--out", "{out}", "--folds", "5"), "--folds written site:5, patient:5"),
        (("evaluate", "{table}", "--out", "{out}"), "an outcome of the patients of cohort expected"),
        (("fit", "{table}", *OUTCOME, "--out", "{out}", "--option", "penlty=1"), "did you mean 'penalty'?"),
        (("fit", "{table}", *OUTCOME, "--out", "{out}", "--model", "mean_features"), "bags of each patient expected"),
        (("predict", "{out}", "{table}", "--out", "{out}.csv"), "a saved model (a folder with model.json) expected"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_a_sentence(said, table, tmp_path, words, reason):
    code, _, err = said("cohort", *(word.format(table=table, out=tmp_path / "out") for word in words))
    assert code == 2
    assert reason in " ".join(err.split())
    assert not (tmp_path / "out").exists()


def test_fit_and_predict(said, table, tmp_path):
    code, out, _ = said("cohort", "fit", table, *OUTCOME, "--out", tmp_path / "model", "--option", "penalty=2")
    assert code == 0
    assert "clinical learnt os of 120 patients" in out
    others = written(made_table(20, seed=7).assign(patient=[f"Q{k}" for k in range(20)]), tmp_path)
    code, out, err = said("cohort", "predict", tmp_path / "model", others, "--out", tmp_path / "risks.csv")
    assert (code, err.count("warning")) == (0, 0)
    risks = pd.read_csv(tmp_path / "risks.csv")
    assert list(risks) == ["patient", "risk", "group", "survival_12", "survival_36", "survival_60"]
    assert set(risks["group"]) == {"high", "low"}
    model = load_outcome_model(tmp_path / "model")
    assert model.penalty == 2
    again = mx.predict_outcome(model, mx.read_cohort(others), at_months=[12, 36, 60])
    np.testing.assert_allclose(again["risk"], risks["risk"])
    code, _, err = said("cohort", "predict", tmp_path / "model", others, "--out", tmp_path / "risks.csv")
    assert code == 2
    assert "--overwrite" in err


def test_covariates_that_were_learnt_from_are_read_unasked(said, tmp_path):
    table = made_table(60).assign(ki67=np.arange(60) % 30)
    path = written(table, tmp_path)
    words = ("cohort", "fit", path, *OUTCOME, "--covariates", "ki67,stage", "--out", tmp_path / "model")
    assert said(*words)[0] == 0
    others = written(table.assign(patient=[f"Q{k}" for k in range(60)]), tmp_path, "others.csv")
    assert said("cohort", "predict", tmp_path / "model", others, "--out", tmp_path / "risks.csv")[0] == 0
    without = written(table.drop(columns="ki67"), tmp_path, "without.csv")
    code, _, err = said("cohort", "predict", tmp_path / "model", without, "--out", tmp_path / "more.csv")
    assert code == 2
    assert "a column 'ki67' (a covariate) expected" in " ".join(err.split())


def test_those_it_learnt_from_are_named(table, model):
    with pytest.warns(UserWarning, match=r"120 of 120 patients were in the model's training .* is no forecast"):
        mx.predict_outcome(model, mx.read_cohort(table))


def test_info_says_what_a_model_of_outcomes_is(said, model):
    code, out, _ = said("info", model)
    assert code == 0
    for word in ("clinical", "os", "120", "penalty", "age, sex, stage"):
        assert word in out


def test_a_model_of_one_question_is_none_of_another(said, model, table, tmp_path):
    with pytest.raises(InputError, match="found one of patients' outcomes: use `cohort predict`"):
        load_model(model, methods=list_methods())
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({"format": 1, "method": "mean"}))
    with pytest.raises(InputError, match="a model of patients' outcomes expected"):
        load_outcome_model(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 99}, "a model of format . or older expected"),
        ({"method": "clinicl"}, "did you mean 'clinical'"),
        ({"method": 3}, "the method of a saved model expected"),
        ({"options": {"penlty": 1}}, "has no option 'penlty'"),
        ({"weights_sha256": "0"}, "weights as model.json describes them expected"),
        ({"state": {}}, r"a saved model.s kind|a saved clinical model"),
    ],
)
def test_damaged_models_are_refused(model, tmp_path, change, reason):
    said = json.loads((model / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**said, **change}))
    (tmp_path / "weights.safetensors").write_bytes((model / "weights.safetensors").read_bytes())
    with pytest.raises(InputError, match=reason):
        load_outcome_model(tmp_path)


def test_reading_warns_once(table, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(mx.read_cohort(table, outcome=OUTCOME[1])) == 120
        with pytest.raises(InputError, match="a cohort has no option 'sites': did you mean 'site'"):
            mx.read_cohort(table, sites="site")


def test_models_are_listed_by_question(said):
    code, out, _ = said("list")
    assert code == 0
    assert "outcome" in out
    assert "prototype_x_pathway" in out
    code, out, _ = said("list", "clinical")
    assert code == 0
    assert "penalty" in out


@pytest.mark.slow
def test_evaluate(said, table, tmp_path):
    words = ("cohort", "evaluate", table, *OUTCOME, "--out", tmp_path / "out", "--folds", "patient:3", "--draws", 200)
    code, out, _ = said(*words, "--models", "clinical")
    assert code == 0
    assert "clinical" in out
    assert "patients held out, 3 folds" in " ".join(out.split())
    assert (tmp_path / "out" / "predictions.csv").is_file()
    code, again, _ = said(*words, "--models", "clinical")  # as it was
    assert code == 0
    assert again.splitlines()[-1] == out.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_himt_gets_its_scales_from_the_command(said, tmp_path):
    """Tiles of two scales and their wider ones lie in three folders; the model looks at all of them."""
    made = made_table(24)
    rng = np.random.default_rng(0)
    for folder, n_tiles in (("far", 2), ("near", 5), ("nearest", 9)):
        (tmp_path / folder).mkdir()
        for name in made["patient"]:
            np.save(tmp_path / folder / f"{name}.npy", rng.normal(size=(n_tiles, 4)).astype(np.float32))
    genes = [f"G{number}" for number in range(12)]
    pd.DataFrame(rng.normal(size=(24, 12)), columns=genes).assign(patient=made["patient"]).to_parquet(
        tmp_path / "genes.parquet"
    )
    (tmp_path / "sets.gmt").write_text("one\t-\t" + "\t".join(genes[:6]) + "\ntwo\t-\t" + "\t".join(genes[6:]))
    words = ("--features", tmp_path / "nearest", "--coarser", f"{tmp_path / 'far'},{tmp_path / 'near'}")
    words = (*words, "--expression", tmp_path / "genes.parquet", "--gene-sets", tmp_path / "sets.gmt")
    small = [f"--option={option}" for option in ("epochs=1", "width=8", "hidden=8")]
    table, model = written(made, tmp_path), tmp_path / "model"
    code, _, err = said("cohort", "fit", table, *OUTCOME, *words, "--model", "himt", *small, "--out", model)
    assert code == 0, err
    fitted = load_outcome_model(model)
    assert fitted.n_levels_ == 3
    assert [
        bag.n_tiles
        for bag in mx.read_cohort(
            table, features=str(tmp_path / "nearest"), coarser=(str(tmp_path / "far"), str(tmp_path / "near"))
        )
        .patients.bags[0]
        .coarser
    ] == [2, 5]
    code, _, err = said("cohort", "predict", model, table, *words, "--out", tmp_path / "risks.csv")
    assert code == 0, err
    code, _, err = said("cohort", "predict", model, table, *words[:2], *words[4:], "--out", tmp_path / "other.csv")
    assert code == 2
    assert "tiles of 3 scales expected for this himt, found 1" in " ".join(err.split())
