"""What can be known in seconds is said before anything is computed, and stands in the results."""

import json

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from PIL import Image
from scipy import sparse

from mclstexp.analysis.pairs import read_pairs
from mclstexp.api import run_experiment
from mclstexp.core.errors import InputError
from mclstexp.evaluation.exam import prepare, references
from mclstexp.evaluation.experiment import experiment_of
from mclstexp.evaluation.harness import join_scores, sit
from mclstexp.evaluation.notes import grouped

GENES = [f"GENE{n}" for n in range(12)]


def _write(folder, name, *, genes=GENES, n_side=7, spots=None, blank=0, donor=None):
    """Write a section as an AnnData file beside its picture, a stained square."""
    rng = np.random.default_rng(sum(map(ord, name)))
    folder.mkdir(exist_ok=True)
    picture = np.full((200, 200, 3), 245, np.uint8)
    picture[20:180, 20:180] = rng.integers((150, 90, 130), (220, 160, 200), (160, 160, 3))
    Image.fromarray(picture).save(folder / f"{name}.png")
    xy = np.stack(np.meshgrid(*[np.linspace(35, 165, n_side)] * 2), -1).reshape(-1, 2)[:spots]
    counts = rng.poisson(np.linspace(1, 60, len(genes)), (len(xy), len(genes)))
    counts[:blank] = 0
    obs = pd.DataFrame({"donor": donor or name[0]}, index=[f"{name}_{n}" for n in range(len(xy))])
    var = pd.DataFrame(index=list(genes))
    AnnData(
        sparse.csr_matrix(counts.astype(np.float32)), obs=obs, var=var, obsm={"spatial": xy}, uns={"mpp": 4.0}
    ).write(folder / f"{name}.h5ad")


def _experiment(folder, **given):
    content = {
        "data": {"path": str(folder)},
        "tile": {"size_px": 16, "mpp": 4.0},
        "encoder": "random:test_efficientnet",
        "gene_sets": {"top": {"heg": 3}},
        "methods": {"mean": {}},
    }
    return experiment_of(content | given, where="test")


@pytest.fixture
def nobody_starts(monkeypatch):
    def start(*_, **__):
        raise AssertionError("a worker was started")

    monkeypatch.setattr("mclstexp.evaluation.crew.Crew.start", start)


@pytest.fixture
def in_this_process(monkeypatch):
    """Judge without a process for each method, which is what takes long."""

    def run_plan(plan, **_):
        tables, notes = [], []
        for name, fold in plan.folds.items():
            exam = prepare(fold, plan.rules)
            notes += exam.notes
            for label, method in plan.methods.items():
                predicted = []
                tables.append(sit(exam, method, label=label, keep=lambda answer, _, to=predicted: to.append(answer)))
                plan.parts.write(plan.key(label, name), join_scores([tables[-1]]), predicted)
            tables.append(references(exam))
        scores = join_scores(tables)
        scores.attrs["notes"] = notes
        plan.gather_predictions()
        return scores

    monkeypatch.setattr("mclstexp.api.experiments.run_plan", run_plan)
    monkeypatch.setattr("mclstexp.api.experiments._draw_scores", lambda *_: None)


@pytest.mark.usefixtures("nobody_starts")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"methods": {"mean": {}, "nothing": {}}}, "nothing"),
        ({"methods": {"knn": {"kk": 3}}}, "kk"),
        ({"methods": {"knn": {"encoder": "densenet12"}}}, "densenet121"),
        ({"space": {"genes": "no_such_file.txt"}}, "no_such_file.txt"),
        ({"gene_sets": {"mine": {"file": "no_such_set.txt"}}}, "no_such_set.txt"),
        ({"gene_sets": {"mine": {"heg": 3, "hvg": 3}}}, "heg and hvg"),
        ({"data": {"path": "no_such_folder"}}, "no_such_folder"),
        ({"folds": {"n_folds": 7}}, "n_folds must lie between 2 and the number of patients"),
        ({"folds": {"min_spots": 100}}, "at least 100 spots with counts to score expected, found 49 at most"),
        (
            {"sight": {"slide_scale": True}, "tile": {"size_px": 32, "mpp": 4.0}, "methods": {"knn": {}}},
            r"A1: at least 100 tiles of 128 µm of tissue expected.* fit a model with slide_scale = false",
        ),
    ],
)
def test_what_cannot_work_is_said_before_anybody_starts(tmp_path, given, said):
    for name in ("A1", "B1"):
        _write(tmp_path / "data", name)
    with pytest.raises(InputError, match=said):
        run_experiment(_experiment(tmp_path / "data", **given), out=tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.mark.usefixtures("nobody_starts")
def test_sections_without_common_genes_are_one_sentence(tmp_path):
    _write(tmp_path / "data", "A1")
    _write(tmp_path / "data", "B1")
    _write(tmp_path / "data", "C1", genes=[gene.title() for gene in GENES])
    with pytest.raises(InputError, match="sections must share genes, found none common to all 3: are the names of one"):
        run_experiment(_experiment(tmp_path / "data"), out=tmp_path / "results")


@pytest.mark.usefixtures("nobody_starts")
def test_unknown_patients_refuse_folds_by_patient_before_anybody_starts(tmp_path):
    for name in ("A1", "B1"):
        _write(tmp_path / "data", name, donor="unknown")
    by_patient = _experiment(tmp_path / "data", folds={"by": "patient"})
    with pytest.raises(InputError, match="found no patient of 2 of 2 sections"):
        run_experiment(by_patient, out=tmp_path / "results")
    unsaid = _experiment(tmp_path / "data")
    assert [fold.by for fold in unsaid.make_folds(unsaid.data.read(unsaid.tile))] == ["section"] * 2


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.slow
def test_a_section_of_three_spots_is_no_third_of_the_headline_and_is_told_of(tmp_path):
    _write(tmp_path / "data", "A1", blank=4)
    _write(tmp_path / "data", "B1")
    _write(tmp_path / "data", "C1", spots=3)
    said = []
    experiment = _experiment(tmp_path / "data", folds={"by": "section"})
    summary = run_experiment(experiment, out=tmp_path / "results", on_warning=said.append)
    assert summary.loc["mean", "n_sections"] == 2
    scores = pd.read_parquet(tmp_path / "results" / "scores.parquet")
    assert set(scores["section"]) - {""} == {"A1", "B1"}
    markdown = (tmp_path / "results" / "summary.md").read_text()
    for sentence in (
        "C1: 3 spots are few: correlations over them are uncertain",
        "C1: 3 spots with counts are too few to be scored (min_spots = 10 in [folds])",
        "A1: 4 of 49 spots (8.2%) have no counts: they are neither learnt nor scored, and still predicted",
    ):
        assert said.count(sentence) == 1
        assert markdown.count(sentence) == 1
    record = json.loads((tmp_path / "results" / "experiment.json").read_text())
    assert record["notes"] == said
    assert record["patients"] == {"A1": "A", "B1": "B", "C1": "C"}
    pairs = read_pairs(tmp_path / "results", "mean")
    assert [(pair.id, len(pair.section)) for pair in pairs] == [("A1", 45), ("B1", 49)], "what was scored"


def test_what_is_said_of_several_sections_is_said_once():
    notes = ["S1: few", "S1: pale", "S10: few", "nothing in particular", "S2: few"]
    assert grouped(notes, ["S1", "S2", "S10"]) == ["S1, S10 and S2: few", "S1: pale", "nothing in particular"]
