"""Models of outcomes compared by an experiment file: its folds, scores, intervals, resumption and refusals."""

import json

import numpy as np
import pandas as pd
import pytest

from made_cohort import made_table, written
from made_outcome_results import make_parts, run_here
from mclstexp.api import run_experiment
from mclstexp.api.outcome_comparison import compare_outcome
from mclstexp.cohort.experiment import OutcomeExperiment
from mclstexp.cohort.results import read_answers, read_summary
from mclstexp.cohort.summary import summarise_outcome
from mclstexp.cohort.survival.concordance import harrell
from mclstexp.core.errors import InputError
from mclstexp.evaluation.experiment import experiment_of, read_experiment
from mclstexp.evaluation.run_plan import plan_of, read_plan
from mclstexp.evaluation.runner import run_plan
from slowly import slowly

OWN = '''
from dataclasses import dataclass
import numpy as np
from mclstexp.core.method import State
from mclstexp.core.outcome_model import OutcomeModel, register

@register("chance")
@dataclass
class Chance(OutcomeModel):
    """Guesses, or refuses."""

    seed: int = 0
    """Of the guesses."""
    refuses: bool = False
    """Whether it refuses."""

    @property
    def takes(self):
        return frozenset({"covariates"})

    def _fit(self, patients, outcomes):
        if self.refuses:
            raise ValueError("no")

    def _predict(self, patients):
        numbers = [sum(map(ord, name)) * 7919 % 1000 for name in patients.ids]
        return np.array(numbers, np.float64) / 1000

    def _get_state(self):
        return State({"one": np.ones(1)}, {})

    def _set_state(self, state):
        pass
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outcome")
    table = made_table(160, seed=1)
    written(table.assign(split=np.arange(160) % 3, responded=(table["stage"] > 2).astype(int)), folder)
    (folder / "chance.py").write_text(OWN)
    return folder


def described(folder, **more):
    data = {"path": str(folder / "cohort.csv"), "outcome": "os:os_days,os_event"}
    methods = {"clinical": {}, "guess": {"file": str(folder / "chance.py")}}
    content = {"task": "outcome", "data": data, "methods": methods, "intervals": {"draws": 200}}
    return {**content, **more, "data": {**data, **more.get("data", {})}}


def ran(folder, out, **more):
    return run_here(experiment_of(described(folder, **more), where="a test"), out)


@pytest.fixture(scope="module")
def results(folder):
    summary = ran(folder, folder / "out", folds={"n_folds": 3, "repeats": 2})
    return summary, folder / "out"


@pytest.mark.slow
def test_scores_are_those_of_what_was_said(results):
    summary, out = results
    answers = read_answers(out)
    scores = pd.read_parquet(out / "scores.parquet")
    assert list(summary.index[:1]) == ["clinical"]
    assert set(summary.index) == {"km", "clinical", "guess"}
    for label in ("clinical", "guess"):
        ways = []
        for repeat in (1, 2):
            mine = answers[(answers["method"] == label) & (answers["repeat"] == repeat)]
            assert sorted(mine["patient"]) == sorted(made_table(160)["patient"])
            parts = [harrell(of["time_months"], of["event"], of["risk"]) for _, of in mine.groupby("fold")]
            ways.append(sum(part.concordant + part.tied / 2 for part in parts) / sum(p.comparable for p in parts))
        row = summary.loc[label]
        assert row["c"] == pytest.approx(np.mean(ways))
        assert row["c_split_sd"] == pytest.approx(np.std(ways, ddof=1))
        assert row["c_low"] < row["c"] < row["c_high"]
        of_folds = scores[(scores["method"] == label) & (scores["metric"] == "c")]["value"]
        assert row["c_fold_mean"] == pytest.approx(of_folds.mean())
        assert row["c_fold_sd"] == pytest.approx(of_folds.std(ddof=0))
    assert summary.loc["clinical", "c"] > 0.65
    assert 0.4 < summary.loc["guess", "c"] < 0.6
    assert summary.loc["guess", "difference_high"] < 0
    assert summary.loc["guess", "holm"] < 0.05
    assert np.isnan(summary.loc["km", "p"])  # it ranks nobody
    assert summary.loc["clinical", "events_per_parameter"] > 10
    assert summary.loc["km", "index"] == pytest.approx(0, abs=1e-9)
    assert summary.loc["clinical", "index"] > 0
    assert 0.5 < summary.loc["clinical", "slope"] < 1.6
    assert 0.7 < summary.loc["clinical", "observed_expected"] < 1.4


def test_results_are_whole(results):
    summary, out = results
    record = json.loads((out / "experiment.json").read_text())
    assert record["question"] == "outcome"
    assert record["cohort"]["n_patients"] == 160
    assert {fold["by"] for fold in record["folds"].values()} == {"site"}
    folds = pd.read_csv(out / "folds.csv")
    assert len(folds) == 2 * 160
    pd.testing.assert_frame_equal(read_summary(out)[["c", "c_low"]], summary[["c", "c_low"]])
    calibration = pd.read_csv(out / "calibration.csv")
    assert set(calibration["method"]) == set(summary.index)
    assert calibration[calibration["method"] == "clinical"].groupby("months")["n"].sum().eq(160).all()
    text = (out / "summary.md").read_text()
    assert "| clinical |" in text
    assert "More than clinical, after Holm's correction over 1: nothing." in text
    assert "Less than clinical: guess." in text
    assert "sites held out, 6 folds" in text


def test_another_model_can_be_the_one_that_others_are_held_against(results, said):
    summary, out = results
    turned, record = compare_outcome(out, baseline="guess", draws=200)
    assert record["experiment"]["baseline"] == "guess"
    assert turned.loc["clinical", "difference"] == pytest.approx(-summary.loc["guess", "difference"])
    assert np.isnan(turned.loc["guess", "difference"])
    same, _ = compare_outcome(out, draws=200)
    pd.testing.assert_frame_equal(same[["c", "difference", "p"]], summary[["c", "difference", "p"]])
    code, printed, _ = said("cohort", "compare", out, "--baseline", "guess", "--draws", 200)
    assert code == 0
    assert "Δ to guess" in printed
    assert "More than guess, after Holm's correction over 1: clinical." in " ".join(printed.split())
    with pytest.raises(InputError, match=r"as baseline expected, found 'gues': did you mean 'guess'"):
        compare_outcome(out, baseline="gues")


def test_an_interval_says_the_same_again(results):
    _, out = results
    scores, answers = pd.read_parquet(out / "scores.parquet"), read_answers(out)
    one, other = (summarise_outcome(scores, answers, draws=100) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    by_site = summarise_outcome(scores, answers, draws=100, unit="site")
    assert by_site.loc["clinical", "c"] == one.loc["clinical", "c"]
    assert by_site.loc["clinical", "c_low"] != one.loc["clinical", "c_low"]


def test_what_is_finished_is_not_made_again(folder, tmp_path):
    content = described(folder, folds={"by": "patient", "n_folds": 2})
    plan = plan_of(experiment_of(content, where="a test"), tmp_path)
    events = []
    make_parts(plan)
    first = run_plan(plan, on_event=lambda *event: events.append(event))
    assert events == [("", "", "of 0")]
    again = plan_of(experiment_of(content, where="a test"), tmp_path)
    assert read_plan(tmp_path).folds == again.folds
    events.clear()
    pd.testing.assert_frame_equal(run_plan(again, on_event=lambda *event: events.append(event)), first)
    assert events == [("", "", "of 0")]
    table = pd.read_csv(folder / "cohort.csv")
    table.loc[0, "os_days"] += 1  # another outcome is another key
    other = {**content, "data": {**content["data"], "path": str(written(table, tmp_path, "changed.csv"))}}
    changed = plan_of(experiment_of(other, where="a test"), tmp_path)
    assert {changed.key("clinical", "fold 1")} & {again.key("clinical", "fold 1")} == set()


def test_a_model_that_fails_is_a_row_and_not_the_end(folder, tmp_path):
    methods = {"clinical": {}, "bad": {"file": str(folder / "chance.py"), "refuses": True}}
    summary = ran(folder, tmp_path / "out", methods=methods, folds={"by": "patient", "n_folds": 2})
    assert summary.loc["bad", "n_failed"] == 2
    assert "ValueError: no" in summary.loc["bad", "reason"]
    assert "bad failed: ValueError: no" in (tmp_path / "out" / "summary.md").read_text()
    assert summary.loc["clinical", "c"] > 0.6
    assert read_summary(tmp_path / "out").loc["bad", "n_failed"] == 2


@pytest.mark.parametrize("outcome", ["response:responded", slowly("age:age")])
def test_other_outcomes_stand_in_the_same_table(folder, tmp_path, outcome):
    data = {"outcome": outcome, "covariates": ["stage", "sex"]}
    methods = {"clinical": {}}
    summary = ran(folder, tmp_path / "out", data=data, methods=methods, folds={"by": "patient", "n_folds": 3})
    answers = read_answers(tmp_path / "out")
    mine = answers[answers["method"] == "clinical"]
    null = answers[answers["method"] == "km"]
    off, off_null = (((one["truth"] - one["value"]) ** 2).sum() for one in (mine, null))
    assert summary.loc["clinical", "index"] == pytest.approx(1 - off / off_null)
    if outcome.startswith("response"):  # stage says all of it
        assert summary.loc["clinical", "c"] > 0.99
    else:
        assert summary.loc["clinical", "c"] == pytest.approx(0.5, abs=0.1)
    assert ("Brier index" if outcome.startswith("response") else "R²") in (tmp_path / "out" / "summary.md").read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"methods": {"clinicl": {}}}, "a known method of outcome expected, found 'clinicl': did you mean 'clinical'"),
        ({"methods": {}}, "at least one method expected"),
        ({"folds": {"by": "sites"}}, "by must be .*found 'sites'"),
        ({"folds": {"n_fold": 3}}, "has no option 'n_fold': did you mean 'n_folds'"),
        ({"folds": {"by": "given"}}, "a column of folds expected"),
        ({"data": {"outcom": "x"}}, "has no option 'outcom': did you mean 'outcome'"),
        ({"data": {"outcome": ""}}, "an outcome of the patients of cohort expected, found none named"),
        ({"baseline": "clinic"}, "a model of this experiment as baseline expected, found 'clinic'"),
        ({"intervals": {"draws": 0}}, "draws of 1 or more"),
        ({"horizons": [-1]}, "horizons above 0"),
        (
            {"intervals": {"unit": "site"}, "data": {"where": {"site": "S01"}}},
            "10 sites or more expected|events or more",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is(folder, tmp_path, more, said):
    with pytest.raises(InputError, match=said):
        ran(folder, tmp_path / "out", **more)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_processes_of_their_own_say_the_same(folder, tmp_path, results):
    summary, _ = results
    experiment = experiment_of(described(folder, folds={"n_folds": 3, "repeats": 2}), where="a test")
    events = []
    apart = run_experiment(experiment, out=tmp_path / "out", on_event=lambda *event: events.append(event))
    assert events[0] == ("", "", "of 18")
    columns = ["c", "c_low", "index", "slope", "difference"]
    pd.testing.assert_frame_equal(apart[columns], summary[columns])
    assert (tmp_path / "out" / "logs").is_dir()


def test_a_file_says_it(folder, tmp_path):
    path = tmp_path / "outcome.toml"
    path.write_text(
        f'task = "outcome"\n[data]\npath = "{folder / "cohort.csv"}"\noutcome = "os:os_days,os_event"\n'
        'where = {sex = "F"}\ncovariates = ["age", "stage"]\n[folds]\nby = "patient"\nn_folds = 3\n[methods.clinical]\n'
    )
    experiment = read_experiment(path)
    assert isinstance(experiment, OutcomeExperiment)
    assert experiment.data.covariates == ("age", "stage")
    assert list(plan_of(experiment, tmp_path).methods) == ["km", "clinical"]


def test_outcomes_of_who_is_asked_for_reach_no_prediction(folder, tmp_path):
    table = pd.read_csv(folder / "cohort.csv")
    rng = np.random.default_rng(0)
    asked = table["split"] == 1
    table.loc[asked, "os_days"] = rng.integers(1, 3000, asked.sum())
    table.loc[asked, "os_event"] = rng.integers(0, 2, asked.sum())
    path = written(table, tmp_path, "other.csv")
    said = []
    for number, where in enumerate((folder / "cohort.csv", path)):
        ran(folder, tmp_path / f"out{number}", data={"path": str(where), "fold": "split"}, horizons=[12.0, 36.0])
        answers = read_answers(tmp_path / f"out{number}")
        said.append(answers[answers["fold"] == "fold 1"].drop(columns=["time_months", "event"]))
    pd.testing.assert_frame_equal(*said, check_exact=True)


TCGA = {  # mean of folds, and pairs within folds, of age, sex and stage in published folds
    "BRCA": (0.764, 0.720),
    "BLCA": (0.675, 0.677),
    "LUAD": (0.662, 0.661),
    "STAD": (0.575, 0.565),
    "COADREAD": (0.710, 0.783),
    "KIRC": (0.855, 0.837),
}


@pytest.fixture
def tcga(data_dir):
    path = data_dir / "cohort" / "tcga_clinical.csv"
    if not path.is_file():
        pytest.skip(f"no cohorts of TCGA in {data_dir}")
    data = {"path": str(path), "outcome": "dss:dss_days,dss_event", "covariates": ["age", "sex", "stage"]}
    return lambda name, **more: {**data, "where": {"cohort": name}, "fold": "fold", **more}


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", TCGA)
def test_the_clinic_ranks_patients_of_tcga_as_measured(name, tcga, folder, tmp_path):
    row = ran(folder, tmp_path / "out", data=tcga(name), methods={"clinical": {}}).loc["clinical"]
    np.testing.assert_allclose([row["c_fold_mean"], row["c"]], TCGA[name], atol=0.002)
    assert row["c_low"] < row["c"] < row["c_high"]


@pytest.mark.data
@pytest.mark.slow
def test_pathways_rank_better_where_sites_stand_on_both_sides(tcga, folder, tmp_path, data_dir):
    beside = {"expression": "tcga_expression/BLCA.parquet", "gene_sets": "hallmark_sets.csv"}
    data = tcga("BLCA", **{name: str(data_dir / "cohort" / file) for name, file in beside.items()})
    methods = {"clinical": {}, "pathway_scores": {}, "clinical+pathway_scores": {}}
    by_site = ran(folder, tmp_path / "site", data=data, methods=methods)["c"]
    ways = {"by": "patient", "repeats": 5}
    by_chance = ran(folder, tmp_path / "chance", data=data, methods={"pathway_scores": {}}, folds=ways, seed=1)["c"]
    assert by_site["pathway_scores"] == pytest.approx(0.584, abs=0.01)
    assert by_chance["pathway_scores"] == pytest.approx(0.617, abs=0.01)
    assert by_site["clinical+pathway_scores"] > by_site["clinical"] - 0.02
