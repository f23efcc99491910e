"""The command line, as a user types it: what it writes, prints and returns."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.torch import load_file

import st_files as files
from mclstexp.cli import run
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.predictor import ROOM
from mclstexp.io.predictions import read_prediction
from mclstexp.methods import list_methods

TILE = ("--size-px", "32", "--mpp", "10")
ENCODER = "efficientnet_lite0"
COMMANDS = [
    "adapt",
    "associate",
    "biomarkers",
    "cache",
    "cohort",
    "doctor",
    "demo",
    "domains",
    "fit",
    "impute",
    "enhance",
    "predict",
    "predictability",
    "states",
    "view",
    "evaluate",
    "evaluate-imputation",
    "export",
    "generate",
    "report",
    "info",
    "validate",
    "list",
    "download",
    "check",
    "calibrate",
    "import-checkpoint",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for name in ("r1", "r2", "r3"):
        files.write_st_folder(root / name)
        files.change(root / name / "counts.tsv", lambda table, name=name: table.assign(FASN=f"{int(name[1])}"))
    return root


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "mean"
    words = ["fit", "mean", data, "--out", out, "--sections", "r1,r2", "--patients", "r1=ann,r2=ben", *TILE]
    assert run([str(word) for word in words]) == 0
    return out


def test_help_needs_no_torch(tmp_path):
    program = (
        "import sys\nfrom mclstexp.cli import run\n"
        f"for command in {COMMANDS}:\n    assert run([command, '--help']) == 0\n"
        "assert run(['--help']) == run(['--version']) == 0\n"
        "assert not {'torch', 'anndata', 'numpy', 'matplotlib', 'pydantic'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(f"Usage: mclstexp {command}" in done.stdout for command in COMMANDS)


def test_every_command_and_flag_is_explained(said):
    _, text, _ = said("--help")
    assert [line.split()[1] for line in text.splitlines() if line.startswith("│ ") and line[2] != " "][:-2] == sorted(
        COMMANDS
    )
    _, text, _ = said("fit", "--help")
    for flag in ("--out", "--option", "--size-px", "--slide-mpp", "--patients", "--config", "--overwrite", "--genes"):
        assert flag in text


@pytest.mark.parametrize("words", [("list",), ("fit", "--help")])
def test_what_goes_to_a_file_does_not_depend_on_the_window(said, monkeypatch, words):
    monkeypatch.delenv("COLUMNS", raising=False)
    usual = said(*words)[1]
    monkeypatch.setattr("os.get_terminal_size", lambda *_: os.terminal_size((40, 24)))
    assert said(*words)[1] == usual
    monkeypatch.setenv("COLUMNS", "50")
    assert max(map(len, said(*words)[1].splitlines())) <= 50


def test_a_model_of_residuals_is_fitted_by_a_flag_and_described(data, said, tmp_path):
    out = tmp_path / "residuals"
    code, _, errors = said("fit", "mean", data, "--sections", "r1,r2", "--scale", "residual", "--out", out, *TILE)
    assert code == 0, errors
    assert json.loads((out / "model.json").read_text())["space"]["scale"] == "residual"
    assert "Pearson residuals of counts" in " ".join(said("info", out)[1].split())
    code, _, errors = said("predict", out, data / "r3", "--out", tmp_path / "p.h5ad")
    assert code == 0, errors
    assert ExpressionSpace.of_prediction(read_prediction(tmp_path / "p.h5ad")).scale == "residual"


def test_fitting_leaves_a_model_and_says_so(model, data, said):
    assert sorted(path.name for path in model.parent.iterdir()) == ["mean"], "no checkpoints are left"
    code, text, errors = said("info", model)
    assert code == 0, errors
    assert errors == ""
    for expected in ("mean", "r1, r2", "ann, ben", "32 px at 10 µm per pixel (320 µm)", "code: torch"):
        assert expected in text


def test_predicting_one_section_or_many(model, data, said, tmp_path):
    code, text, errors = said("predict", model, data / "r3", "--out", tmp_path / "r3.h5ad")
    assert (code, text, errors) == (0, f"{tmp_path / 'r3.h5ad'}\n", "")
    predicted = read_prediction(tmp_path / "r3.h5ad")
    assert predicted.shape == (21, 4)
    made = predicted.uns["mclstexp"]
    assert (made["method"], made["slide"], made["patients"]) == ("mean", "r3", ["ann", "ben"])
    assert made["spec"] == {"size_px": 32, "mpp": 10.0}
    assert made["code"]["mclstexp"] == made["version"]
    assert list(predicted.obs.columns) == ["section", "array_col", "array_row"], "nothing measured is copied"

    files.write_st_folder(tmp_path / "two" / "a")
    files.write_st_folder(tmp_path / "two" / "b")
    code, text, _ = said("predict", model, tmp_path / "two", "--out", tmp_path / "many")
    assert (code, text.split()) == (0, [str(tmp_path / "many" / name) for name in ("a.h5ad", "b.h5ad")])
    code, _, errors = said("predict", model, tmp_path / "two", "--out", tmp_path / "many.h5ad")
    assert code == 2
    assert "one section expected for the file" in errors
    assert not (tmp_path / "many.h5ad").exists()


def test_a_model_of_unknown_patients_is_fitted_shown_and_predicts(data, said, tmp_path):
    out = tmp_path / "model"
    code, _, errors = said("fit", "mean", data, "--sections", "r1,r2", *TILE, "--out", out)
    assert (code, errors.count("error")) == (0, 0)
    code, text, _ = said("info", out)
    assert code == 0
    assert "unknown" in text
    code, text, errors = said("predict", out, data / "r3", "--out", tmp_path / "r3.h5ad")
    assert (code, text, errors) == (0, f"{tmp_path / 'r3.h5ad'}\n", "")
    assert "ann" not in read_prediction(tmp_path / "r3.h5ad").uns["mclstexp"]["patients"]


@pytest.mark.filterwarnings("default")
def test_predicting_training_sections_is_remarked_on(model, data, said, tmp_path):
    code, _, errors = said("predict", model, data, "--sections", "r2,r3", "--out", tmp_path / "out")
    assert code == 0
    assert errors == "warning: the model was trained on r2: its prediction there says nothing about new tissue\n"


def test_predicting_a_folder_of_tiles(model, said, tmp_path):
    folder = tmp_path / "tiles"
    folder.mkdir()
    for x in (16, 48):
        Image.new("RGB", (32, 32), (x, 0, 0)).save(folder / f"t_{x}x16.png")
    assert said("predict", model, folder, "--out", tmp_path / "t.h5ad")[0] == 0
    np.testing.assert_array_equal(read_prediction(tmp_path / "t.h5ad").obsm["spatial"], [[16, 16], [48, 16]])
    Image.new("RGB", (8, 8)).save(folder / "t_80x16.png")
    code, _, errors = said("predict", model, folder, "--out", tmp_path / "u.h5ad")
    assert code == 2
    assert "a tile of 32 by 32 pixels expected, found 8 by 8" in errors


@pytest.mark.slow  # processes; `whole_slide/test_many.py` has the quick ones
def test_predicting_slides_one_or_many(model, said, tmp_path):
    spots = np.random.default_rng(0).integers(60, 255, (200, 200, 3), dtype=np.uint8)
    spots[..., 1] //= 3  # stained
    picture = Image.fromarray(spots)
    (tmp_path / "slides" / "deep").mkdir(parents=True)
    picture.save(tmp_path / "slides" / "a.png")
    picture.save(tmp_path / "slides" / "deep" / "b.png")
    (tmp_path / "slides" / "broken.tif").write_bytes(b"II*\0 no slide")
    one = ("--slide-mpp", "10", "--out", tmp_path / "a.h5ad")
    code, text, _ = said("predict", model, tmp_path / "slides" / "a.png", *one, "--stride-um", "160")
    assert code == 0
    assert text.splitlines()[2:] == [str(tmp_path / name) for name in ("a.h5ad", "a.tissue.geojson", "a.png")]
    assert read_prediction(tmp_path / "a.h5ad").shape[1] == 4

    glob = tmp_path / "slides" / "*"
    for words in ((glob, *one[:2]), (tmp_path / "slides" / "a.png", *one[:2], "--shard", "1/2")):
        code, _, errors = said("predict", model, *words, "--out", tmp_path / "b.h5ad")
        assert (code, "name a folder" in errors or "give a folder" in errors) == (2, True)
    assert said("predict", model, tmp_path / "slides" / "a.*", *one[:2], "--out", tmp_path / "b.h5ad")[0] == 0
    code, _, errors = said("predict", model, tmp_path / "no*.svs", "--out", tmp_path / "c.h5ad")
    assert (code, "expected" in errors) == (2, True)

    many = ("--slide-mpp", "10", "--out", tmp_path / "out")
    code, text, errors = said("predict", model, tmp_path / "slides", *many)
    assert code == 1, "a scheduler should see that one failed"
    assert "2 done, 0 skipped, 1 failed" in text
    assert "broken: failed" in errors
    assert (tmp_path / "out" / "failed.csv").read_text().startswith("name,slide,reason\nbroken,")
    for name in ("a", "deep_b"):
        assert set(read_prediction(tmp_path / "out" / f"{name}.h5ad").obs["section"]) == {name}
    code, text, _ = said("predict", model, tmp_path / "slides", *many, "--shard", "1/3")
    assert (code, "0 done, 1 skipped, 0 failed" in text) == (0, True)
    code, _, errors = said("predict", model, tmp_path / "slides", "--out", tmp_path / "out", "--slide-mpp", "5")
    assert code == 2
    assert "predictions of the same model with the same settings expected" in errors


@pytest.mark.filterwarnings("ignore:the model was trained on")
def test_flags_of_slides_are_not_passed_over_for_sections(model, data, said, tmp_path):
    code, _, errors = said("predict", model, data / "r3", "--out", tmp_path / "p.h5ad", "--stride-um", "100")
    assert code == 2
    assert "a whole slide expected with --stride-um" in errors
    assert said("predict", model, data / "r3", "--out", tmp_path / "p.h5ad")[0] == 0
    code, text, _ = said("predict", model, data / "r3", "--out", tmp_path / "p.h5ad")
    assert (code, "predicted already, by the same model" in text) == (0, True)
    code, _, errors = said("predict", model, data / "r2", "--out", tmp_path / "p.h5ad")
    assert (code, "choose another or give --overwrite" in errors) == (2, True)
    assert said("predict", model, data / "r3", "--out", tmp_path / "p.h5ad", "--overwrite")[0] == 0


@pytest.mark.filterwarnings("ignore:the model was trained on")
def test_a_folder_half_predicted_goes_on(model, data, said, tmp_path):
    words = ("predict", model, data, "--out", tmp_path / "all")
    assert said(*words)[0] == 0
    whole = {path.name: path.read_bytes() for path in (tmp_path / "all").iterdir()}
    first, second, third = sorted(tmp_path / "all" / name for name in whole)
    second.unlink()
    third.write_bytes(whole[third.name][:3000])
    made = first.stat().st_mtime_ns
    code, text, errors = said(*words)
    assert code == 2, "of a damaged one nobody knows what it was"
    assert third.name in errors
    third.unlink()
    code, text, _ = said(*words)
    assert (code, text.count("already"), first.stat().st_mtime_ns) == (0, 1, made)
    assert {path.name: path.read_bytes() for path in (tmp_path / "all").iterdir()} == whole
    assert [path.name for path in tmp_path.iterdir()] == ["all"]


def test_a_damaged_first_image_does_not_decide_for_a_folder(model, tmp_path):
    from mclstexp.api import holds_slides

    for name, side_px, slides in (("slides", 150, True), ("tiles", 32, False)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"no picture")
        files.picture((side_px, side_px)).save(tmp_path / name / "b.png")
        assert holds_slides(str(tmp_path / name), run=model) is slides


def test_a_place_that_cannot_be_written_to_is_found_before_the_work(model, data, said, tmp_path, monkeypatch):
    def work(*_, **__):
        raise AssertionError

    (tmp_path / "file").write_text("in the way")
    place = tmp_path / "file" / "out"
    (tmp_path / "e.toml").write_text(f'[data]\npath = "{data}"\n[methods.zero]\nmethod = "mean"\n')
    monkeypatch.setattr("mclstexp.evaluation.config.DataConfig.read", work)
    monkeypatch.setattr("mclstexp.report.build_page.read_study", work)
    for words in (
        ("fit", "mean", data),
        ("evaluate", tmp_path / "e.toml"),
        ("predict", model, data / "r3"),
        ("validate", data),
        ("report", tmp_path),
        ("demo",),
    ):
        code, _, errors = said(*words, "--out", place)
        assert (code, "can be written to expected" in errors) == (2, True), words
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_options_come_from_flags_over_file_over_defaults(data, said, tmp_path):
    (tmp_path / "panel.txt").write_text("FASN\nGNAS\n")
    (tmp_path / "fit.toml").write_text(
        f'genes = "{tmp_path / "panel.txt"}"\n[options]\nk = 3\nencoder = "{ENCODER}"\n'
        '[tile]\nsize_px = 32\nmpp = 5\n[data]\nsections = ["r1", "r3"]\n'
    )
    flags = ("--config", tmp_path / "fit.toml", "--option", "k=2", "--mpp", "10")
    assert said("fit", "knn", data, "--out", tmp_path / "knn", *flags)[0] == 0
    described = json.loads((tmp_path / "knn" / "model.json").read_text())
    assert {name: described["options"][name] for name in ("encoder", "k")} == {"encoder": ENCODER, "k": 2}
    assert described["spec"] == {"size_px": 32, "mpp": 10.0}
    assert described["space"]["genes"] == ["FASN", "GNAS"]
    assert list(described["provenance"]["sections"]) == ["r1", "r3"]


def _interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("stop", "code", "word"),
    [
        (_interrupt, 130, "interrupted"),
        pytest.param(partial(signal.raise_signal, signal.SIGTERM), 143, "ended by SIGTERM", marks=pytest.mark.slow),
    ],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_killed_fit_goes_on_where_it_stopped(stop, code, word, data, said, tmp_path, monkeypatch):
    from mclstexp.training import loop

    epochs, save, before = [], loop.save_checkpoint, signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def save_and_stop(folder, *parts, epoch, **named):
        save(folder, *parts, epoch=epoch, **named)
        epochs.append(epoch)
        if epochs == [1, 2]:
            stop()

    monkeypatch.setattr(loop, "save_checkpoint", save_and_stop)
    options = [f"--option={text}" for text in ("epochs=3", "k=5", "sharpness=0", "n_models=1", "batch_size=8", "dim=8")]
    words = ("fit", "mclstexp", data, "--encoder", ENCODER, "--seed", 1, *options, *TILE)
    ended, _, errors = said(*words, "--out", tmp_path / "run")
    assert (ended, errors.splitlines()[-1]) == (code, f"mclstexp: {word}")
    assert signal.signal(signal.SIGTERM, before) is signal.SIG_DFL
    assert [path.name for path in tmp_path.iterdir()] == [".run.partial"]
    assert said(*words, "--out", tmp_path / "run")[0] == 0
    assert epochs == [1, 2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]

    assert said(*words, "--out", tmp_path / "at_once")[0] == 0
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("run", "at_once")]
    assert weights[0] == weights[1]


def test_a_model_is_replaced_only_on_request(model, data, said):
    before = (model / "model.json").read_bytes()
    code, _, errors = said("fit", "mean", data, "--out", model)
    assert code == 2
    assert f"the model cannot be written, {model} already exists" in errors
    assert (model / "model.json").read_bytes() == before
    same = ("fit", "mean", data, "--out", model, "--sections", "r1,r2", "--patients", "r1=ann,r2=ben", *TILE)
    assert said(*same)[0] == 0, "and nothing is learnt twice"
    assert (model / "model.json").read_bytes() == before
    assert said("fit", "mean", data, "--sections", "r1,r2", "--out", model, "--overwrite", *TILE)[0] == 0


@pytest.mark.slow  # a process for each of six methods; `evaluation/test_runner.py` has the quick ones
@pytest.mark.filterwarnings("default")  # a gene that never varies
def test_an_experiment_leaves_scores_tables_figures_predictions_and_its_record(data, said, tmp_path):
    (tmp_path / "e.toml").write_text(
        f'title = "small"\nencoder = "random:test_efficientnet"\n[data]\npath = "{data}"\n[tile]\nsize_px = 32\n'
        'mpp = 10\n[folds]\nby = "section"\n[gene_sets]\ntwo = { heg = 2 }\n[methods.zero]\nmethod = "mean"\n'
    )
    code, text, errors = said("evaluate", tmp_path / "e.toml", "--out", tmp_path / "results", "--jobs", "2")
    assert code == 0
    for expected in (
        "small",
        "noise ceiling",
        "Patients unknown, 3 sections; held out by section.",
        "Held out by section",
    ):
        assert expected in text
    assert "zero, r1: done" in errors
    results = tmp_path / "results"
    names = ["comparison.csv", "experiment.json", "figures", "logs", "predictions", "scores.parquet"]
    assert sorted(path.name for path in results.iterdir()) == [*names, "summary.csv", "summary.md", "summary.tex"]
    scores = pd.read_parquet(results / "scores.parquet")
    assert set(scores["method"].unique()) == {
        *("zero", "coordinates", "colour", "density", "knn", "ridge"),
        *("depth oracle", "noise ceiling"),
    }
    assert not (scores["metric"] == "failed").any()
    assert pd.read_csv(results / "summary.csv", index_col=0).loc["zero", "n_sections"] == 3
    assert (results / "summary.md").read_text().startswith("| method |")
    assert sorted(path.name for path in (results / "predictions").rglob("r1.h5ad")) == ["r1.h5ad"] * 6
    assert np.asarray(Image.open(results / "figures" / "summary.png")).std() > 10
    record = json.loads((results / "experiment.json").read_text())
    assert record["experiment"]["folds"] == {"by": "section", "n_folds": None, "min_spots": 10, "only": None}
    assert list(record["sections"]) == list(record["images"]) == ["r1", "r2", "r3"]
    assert record["methods"]["zero"] == {"method": "mean"}
    assert record["folds"]["r1"] == {"by": "section", "train": ["r2", "r3"], "test": ["r1"]}
    code, again, errors = said("evaluate", tmp_path / "e.toml", "--out", results)
    assert (code, again, "done" in errors) == (0, text, False), "what is there is not computed again"
    (tmp_path / "e.toml").write_text((tmp_path / "e.toml").read_text().replace("heg = 2", "heg = 1"))
    code, _, errors = said("evaluate", tmp_path / "e.toml", "--out", results)
    assert code == 2
    assert f"the results cannot be written, {results} already exists" in errors


OWN = '''
"""A method of one's own."""
from dataclasses import dataclass

import numpy as np

from mclstexp.core.predictor import Predictor, State, register


@register("own_{name}")
@dataclass
class Own{name}(Predictor):
    """Scales the mean by how dark a tile is."""

    strength: float = 1.0
    """How much."""

    def _fit(self, sections):
        self.mean_ = np.concatenate([self.space_(s.counts) for s in sections]).mean(axis=0)

    def _predict(self, tiles):
        dark = np.array([1 - tiles.read(i).mean() / 255 for i in range(len(tiles))])
        return (self.mean_ * (1 + self.strength * {dark})[:, None]).astype(np.float32)

    def _get_state(self):
        return State(arrays={{"mean": self.mean_}}, meta={{}})

    def _set_state(self, state):
        self.mean_ = state.arrays["mean"]
'''


def test_a_method_of_ones_own_is_checked(said, tmp_path, monkeypatch):
    monkeypatch.setattr(ROOM, "_known", dict(list_methods()))  # other tests need not know it
    good, bad, none = (tmp_path / f"{name}.py" for name in ("good", "bad", "none"))
    good.write_text(OWN.format(name="good", dark="dark"))
    bad.write_text(OWN.format(name="bad", dark="(dark - dark.mean())"))
    none.write_text("x = 1\n")
    code, text, errors = said("check", good, "--option", "strength=0.5")
    assert code == 0, errors
    assert errors == ""
    assert "15 of 15 checks passed" in text
    code, text, _ = said("check", bad)
    assert code == 1
    assert "14 of 15 checks passed" in text
    assert "But a tile differs without the tiles beyond its context of 0 µm" in text
    code, text, errors = said("check", none)
    assert (code, text) == (2, "")
    assert "one class with @register expected in" in errors


@pytest.mark.filterwarnings("default")
def test_validating_shows_sections_and_draws_them(data, said, tmp_path):
    code, text, _ = said("validate", data, "--sections", "r1,r3", "--out", tmp_path / "overlays", *TILE)
    assert code == 0
    for expected in ("r1", "r3", "spots", "21", "tile_um", "320", "warning: r1: "):
        assert expected in text
    assert sorted(path.name for path in (tmp_path / "overlays").iterdir()) == ["r1.png", "r3.png"]
    assert np.asarray(Image.open(tmp_path / "overlays" / "r1.png")).std() > 10


def test_methods_and_their_options_are_listed(said):
    _, text, _ = said("list")
    assert all(name in text for name in ("knn", "mclstexp", "mean", "ridge"))
    _, text, _ = said("list", "ridge")
    assert "float | None" in text
    assert "'densenet121'" in text
    assert "L2 penalty on" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("fit mean DATA", "--out"),
        ("fit mean DATA --otu x", "Did you mean --out instead of --otu?"),
        ("fit mean NOWHERE --out OUT", "a file or folder with sections expected at"),
        ("fit meen DATA --out OUT", "a known method expected, found 'meen': did you mean 'mean'?"),
        ("fit ridge DATA --out OUT --option alhpa=1", "method ridge has no option 'alhpa': did you mean 'alpha'?"),
        ("fit ridge DATA --out OUT --option alpha=much", "method ridge: alpha must be float | None, found 'much'"),
        ("fit ridge DATA --out OUT --option alpha", "option must be written NAME=VALUE, found 'alpha'"),
        ("fit mean DATA --out OUT --seed 3", "has no option 'seed'"),
        ("fit mean DATA --out OUT --seed x", "--seed"),
        ("fit mean DATA --out OUT --size-px 0", "tile size_px must be a positive integer"),
        ("fit mean DATA --out OUT --genes NOWHERE", "a list of genes"),
        ("fit mean DATA --out OUT --config NOWHERE", "a configuration (.toml) expected at"),
        ("fit mean DATA --out OUT --sections r9", "r9"),
        ("fit mean DATA --out OUT --patients r1", "patient must be written NAME=VALUE, found 'r1'"),
        ("predict NOWHERE DATA --out OUT", "a saved model (a folder with model.json) expected at"),
        ("evaluate NOWHERE --out OUT", "a configuration (.toml) expected at"),
        ("check NOWHERE", "a known method expected"),
        ("check NOWHERE.py", "a Python file with a method expected at"),
        ("import-checkpoint DATA DATA --genes DATA --out OUT --method ridge", "a method that takes checkpoints"),
        ("validate NOWHERE", "a file or folder with sections expected at"),
        ("info DATA", "found another folder"),
        ("list meen", "did you mean 'mean'?"),
        ("download her2 --out OUT", "did you mean 'her2st'?"),
        ("predcit", 'Did you mean "predict"?'),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(words, sentence, data, said, tmp_path):
    places = {"DATA": data, "OUT": tmp_path / "out", "NOWHERE": tmp_path / "nowhere"}
    code, text, errors = said(
        *(places.get(word, word) for word in words.replace("NOWHERE.py", f"{tmp_path}/nowhere.py").split())
    )
    assert code == 2
    assert text == ""
    assert errors.startswith("mclstexp: ")
    assert errors.count("\n") == 1
    assert sentence in errors
    assert not list(tmp_path.iterdir()), "nothing is left"


def test_errors_of_ours_are_short_unless_asked_for(said, monkeypatch):
    def broken(_):
        msg = "first\nsecond"
        raise RuntimeError(msg)

    monkeypatch.setattr("mclstexp.core.options.describe_options", broken)
    code, _, errors = said("list", "knn")
    assert code == 1
    assert errors == "mclstexp: unexpected error (RuntimeError: first): run again with --debug and report it\n"
    code, _, errors = said("list", "knn", "--debug")
    assert code == 1
    assert "Traceback" in errors
    assert "second" in errors


@pytest.mark.data
def test_a_published_checkpoint_becomes_a_model(said, parity_dir, tmp_path):
    import torch

    torch.save(load_file(parity_dir / "mclstexp_g171" / "state_dict.safetensors"), tmp_path / "best.pt")
    genes = [f"G{number}" for number in range(171)]
    folder = files.write_st_folder(tmp_path / "r1")
    table = pd.read_csv(folder / "counts.tsv", sep="\t", index_col=0)
    counts = np.random.default_rng(0).poisson(2.0, (len(table), len(genes)))
    files.write_table(folder / "counts.tsv", pd.DataFrame(counts, index=table.index, columns=genes), index=True)
    (tmp_path / "genes.txt").write_text("\n".join(genes))
    words = (tmp_path / "best.pt", folder, "--genes", tmp_path / "genes.txt", "--out", tmp_path / "run", *TILE)
    assert said("import-checkpoint", *words)[0] == 0
    described = json.loads((tmp_path / "run" / "model.json").read_text())
    assert (described["options"]["protocol"], described["space"]["axis"]) == ("paper", "gene")
    (tmp_path / "best.pt").unlink()
    (tmp_path / "r2").mkdir()
    files.write_st_folder(tmp_path / "r2")
    code, _, errors = said("predict", tmp_path / "run", tmp_path / "r2", "--out", tmp_path / "p.h5ad")
    assert code == 0, errors
    assert errors == ""
    assert read_prediction(tmp_path / "p.h5ad").shape == (21, 171)


def test_the_command_is_installed():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"mclstexp": "mclstexp.__main__:main"}
    done = subprocess.run([sys.executable, "-m", "mclstexp", "nosuch"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mclstexp: Unknown command")
