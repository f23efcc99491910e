"""What an evaluation found of each gene goes with the model, its predictions and nothing else's."""

import json

import numpy as np
import pytest

from mclstexp.api import fit_model, model_info, predict, predict_files, run_experiment
from mclstexp.api.verdicts import read_verdicts, tell, told_model
from mclstexp.cli import run
from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.gene_notes import training_range
from mclstexp.evaluation.config import FitConfig
from mclstexp.evaluation.experiment import read_experiment
from mclstexp.io.predictions import read_prediction
from mclstexp.methods import create
from mclstexp.whole_slide.stream import run_key
from small_methods import small_sections

EXPERIMENT = """
title = "A test"
encoder = "colour"

[data.synthetic]
n_patients = 3
n_spots_side = 6
n_genes = 24
mpp = 4.0
seed = 0

[tile]
size_px = 32
mpp = 4.0

[folds]
by = "patient"

[methods.colour]
"""


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    path = tmp_path_factory.mktemp("experiment") / "test.toml"
    path.write_text(EXPERIMENT)
    return read_experiment(path)


@pytest.fixture(scope="module")
def results(experiment, tmp_path_factory):
    out = tmp_path_factory.mktemp("results") / "results"
    run_experiment(experiment, out=out)
    return out


@pytest.fixture(scope="module")
def sections(experiment):
    return experiment.data.read(experiment.tile)


@pytest.fixture(scope="module")
def config(experiment, results):
    return FitConfig(data=experiment.data, tile=experiment.tile, verdicts=str(results))


@pytest.fixture(scope="module")
def model(config, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "colour"
    fit_model("colour", config, out=out)
    return out


@pytest.mark.slow  # an evaluation, each method in a process
def test_the_model_says_what_was_found_and_on_whom(model, results, sections):
    said = model_info(model)["verdicts"]
    assert said.endswith("tested on P1, P2, P3 (3 sections)")
    var = predict(model, sections[0].tiles).var
    assert set(var[keys.VERDICT]) <= {"predictable", "doubtful", "not predictable"}
    assert var[keys.TESTED_PCC].between(-1, 1).all()
    told = read_verdicts(results, create("colour"))
    pcc = dict(zip(told["genes"], told["tested_pcc"], strict=True))
    np.testing.assert_allclose(var[keys.TESTED_PCC], [pcc[gene] for gene in var.index])


@pytest.mark.slow  # an evaluation, each method in a process
def test_it_is_written_with_the_prediction(model, sections, tmp_path):
    predicted = predict(model, sections[0].tiles)
    assert predicted.uns[keys.PROVENANCE][keys.VERDICTS]["tested_on"] == ["P1", "P2", "P3"]
    assert keys.VERDICT not in predicted.uns[keys.PROVENANCE][keys.VERDICTS]  # stands in var


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the model was trained on")
def test_predict_can_be_told_too(experiment, results, tmp_path):
    plain = FitConfig(data=experiment.data, tile=experiment.tile)
    fit_model("colour", plain, out=tmp_path / "plain")
    assert "verdicts" not in model_info(tmp_path / "plain")
    (path, *_) = predict_files(told_model(tmp_path / "plain", results), experiment.data, out=tmp_path / "told")
    told = read_prediction(path)
    assert keys.VERDICT in told.var
    (path, *_) = predict_files(tmp_path / "plain", experiment.data, out=tmp_path / "untold")
    untold = read_prediction(path)
    assert keys.VERDICT not in untold.var
    np.testing.assert_array_equal(told.X, untold.X)
    with pytest.raises(InputError, match="found another one"):  # what is told is part of what it is
        predict_files(told_model(tmp_path / "plain", results), experiment.data, out=tmp_path / "untold")


@pytest.mark.slow  # an evaluation, each method in a process
def test_results_of_other_options_are_refused(results):
    with pytest.raises(InputError, match=r"an evaluation of bleep with the model's options expected .* found others"):
        read_verdicts(results, create("bleep"))
    record = results / "experiment.json"
    whole = record.read_text()
    said = json.loads(whole)
    label = next(label for label, method in said["methods"].items() if method["method"] == "coordinates")
    try:
        said["methods"][label]["k"] = 99
        record.write_text(json.dumps(said))
        with pytest.raises(InputError, match=r"found it with k = 99, where the model has None"):
            read_verdicts(results, create("coordinates"))
    finally:
        record.write_text(whole)


def test_verdicts_on_other_genes_are_refused():
    model = create("mean").fit(small_sections(2))
    with pytest.raises(InputError, match="evaluate with its panel"):
        tell(model, {"genes": ["NOBODY"], keys.VERDICT: ["doubtful"]})


def test_a_gene_that_was_not_tested_says_nothing():
    model = create("mean").fit(small_sections(2))
    before, gene = run_key(model), model.genes_[0]
    tell(model, {"genes": [gene], "verdict": ["doubtful"], "tested_pcc": [0.5], "ceiling": [None], "share": [0.25]})
    var = model.var_
    assert list(var[keys.VERDICT]) == ["doubtful", *[""] * (len(var) - 1)]
    assert var[keys.TESTED_PCC].notna().sum() == 1
    assert run_key(model) != before


def test_colours_know_the_range_of_training():
    sections = small_sections(3)
    model = create("mean").fit(sections)
    values = np.concatenate([model.space_(section.counts) for section in sections])
    var = model.predict(sections[0].tiles).var
    np.testing.assert_allclose(var[keys.TRAINING_LOW], np.quantile(values, 0.01, axis=0), atol=2e-6)
    np.testing.assert_allclose(var[keys.TRAINING_HIGH], np.quantile(values, 0.99, axis=0), atol=2e-6)


def test_of_many_spots_some_are_looked_at(monkeypatch):
    sections = small_sections(3)
    space = create("mean").fit(sections).space_
    monkeypatch.setattr("mclstexp.core.gene_notes._MOST_SPOTS", 40)
    of_some = training_range(sections, space)
    few = np.concatenate([space(section.counts[::2]) for section in sections])  # 72 spots, at most 40
    np.testing.assert_allclose(of_some[keys.TRAINING_HIGH], np.quantile(few, 0.99, axis=0), atol=2e-6)


@pytest.mark.slow  # an evaluation, each method in a process
def test_the_command_takes_them(model, results, tmp_path, capsys):
    assert run(["predict", str(model), "slides*.svs", "--out", str(tmp_path), "--verdicts", str(results)]) == 2
    assert "--verdicts" in capsys.readouterr().err
