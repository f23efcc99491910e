"""The experiments that come with the package: each is read, the small one is run."""

from pathlib import Path

import pytest

from mclstexp.api import run_experiment
from mclstexp.evaluation.experiment import read_experiment
from mclstexp.evaluation.results import read_results

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))


@pytest.fixture
def somewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("MCLSTEXP_DATA", str(tmp_path))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configs_are_read(path, somewhere):
    experiment = read_experiment(path)
    assert experiment.title
    control = "spatial_kmeans, places shuffled" if path.stem == "domains" else "mean"
    assert control in experiment.make_methods(), "every table shows what never looks"


@pytest.mark.parametrize(
    ("name", "data_set"), [("her2st_c", "her2st"), ("mob_st", "mob_st"), ("mob_st_paper", "mob_st")]
)
def test_data_are_named_as_methods_say_what_they_were_tuned_on(name, data_set, somewhere):
    experiment = read_experiment(Path(__file__).parents[1] / "configs" / f"{name}.toml")
    methods = experiment.make_methods()
    tuned = {label for label, method in methods.items() if experiment.data.name in method.tuned_on}
    flagship = {label for label in methods if label.startswith("mclstexp")}
    assert experiment.data.name == data_set
    assert flagship <= tuned
    assert data_set == "mob_st" or tuned == flagship


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["her2st_c", "mob_st", "her2st_c_paper", "mob_st_paper"])
def test_configs_fit_the_data(name, data_dir, monkeypatch):
    monkeypatch.setenv("MCLSTEXP_DATA", str(data_dir))
    experiment = read_experiment(Path(__file__).parents[1] / "configs" / f"{name}.toml")
    sections = experiment.data.read(experiment.tile)
    folds = experiment.make_folds(sections)
    her2st = name.startswith("her2st")
    assert len(folds) == len(sections) == (5 if her2st else 3)
    assert {section.patient for section in sections} == {"C" if her2st else None}, "animals are not told apart"
    n_genes = 785 if her2st else experiment.space.hvg
    assert len(experiment.space.rule()(folds[0].train).genes) == n_genes


@pytest.mark.slow
def test_the_small_one_is_run(tmp_path):
    experiment = read_experiment(Path(__file__).parents[1] / "configs" / "synthetic.toml")
    summary = run_experiment(experiment, out=tmp_path / "results")
    assert set(summary.index) == {
        *("mean", "coordinates", "colour", "density", "knn", "ridge", "pls, common sight"),
        *("noise ceiling", "depth oracle"),
    }
    assert summary.loc["mean", "pcc"] == 0
    assert summary.loc[["knn", "ridge"], "pcc"].min() > 0.2
    assert (summary["failed"] == "").all()
    assert set(read_results(tmp_path / "results")["method"].unique()) == set(summary.index)
