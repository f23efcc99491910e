"""Intervals for new tissue: learnt by leaving individuals out, kept in a file, laid about predictions."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mclstexp import api
from mclstexp.api.intervals import Intervals, calibrate, read_intervals
from mclstexp.cli import run
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.config import DataConfig
from mclstexp.io.models import save_model
from mclstexp.io.predictions import read_prediction
from small_methods import small_methods, small_sections

METHODS = {method.label: method for method in small_methods()}


@pytest.fixture(scope="module")
def sections():
    return small_sections(4, n_spots_side=7)


@pytest.mark.parametrize("name", ["knn", "ridge"])
def test_they_hold_what_they_promise_of_another_individual(sections, name):
    model = METHODS[name].create().fit(sections[:3])
    found = Intervals.learn(model, sections[:3])
    assert (found.method, found.scope) == (name, "a new individual")
    predicted = api.predict(model, sections[3].tiles, intervals=found)
    low, high = predicted.layers["low"], predicted.layers["high"]
    truth = model.space_(sections[3].counts)
    assert ((low <= truth) & (truth <= high)).mean() == pytest.approx(0.8, abs=0.08)
    varied = (high - low).std(axis=0) > 1e-5
    assert varied.all() if name == "knn" else not varied.any()
    assert predicted.uns["mclstexp"]["intervals"] == {"level": 0.8, "scope": "a new individual"}


def test_they_are_for_the_model_they_were_learnt_for(sections):
    model = METHODS["knn"].create().fit(sections[:3])
    found = Intervals.learn(model, sections[:3])
    other = METHODS["ridge"].create().fit(sections[:3])
    with pytest.raises(InputError, match="found those of knn"):
        api.predict(other, sections[3].tiles, intervals=found)
    residual = METHODS["knn"].create().fit(sections[:3], space=ExpressionSpace.fit(sections[:3], scale="residual"))
    with pytest.raises(InputError, match=r"found log10.* for its scale"):
        api.predict(residual, sections[3].tiles, intervals=found)
    spec = TileSpec(32, 5.0)
    coarse = METHODS["knn"].create().fit([section.with_spec(spec) for section in sections[:3]])
    with pytest.raises(InputError, match=r"found 32 px at 4 µm/px \(128 µm\) for its tiles"):
        api.predict(coarse, sections[3].tiles, intervals=found)
    with pytest.raises(InputError, match="found abc for its encoder weights"):
        api.predict(model, sections[3].tiles, intervals=replace(found, terms=found.terms | {"encoder weights": "abc"}))
    with pytest.raises(InputError, match="found no width of"):
        api.predict(model, sections[3].tiles, intervals=replace(found, widths={}))
    with pytest.raises(InputError, match="two sections or more"):
        Intervals.learn(model, sections[:1])
    with pytest.raises(InputError, match="found 80"):
        Intervals.learn(model, sections, level=80)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the model was trained on")
def test_commands_learn_and_lay_them(sections, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(DataConfig, "read", lambda self, spec: sections)
    model = METHODS["knn"].create().fit(sections[:3])
    save_model(model, tmp_path / "run")
    out, run_folder = tmp_path / "intervals.json", tmp_path / "run"
    assert run(["calibrate", str(run_folder), "DATA", "--out", str(out)]) == 0
    assert "meant to hold 80% of the values of a new individual" in " ".join(capsys.readouterr().out.split())
    assert run(["calibrate", str(run_folder), "DATA", "--out", str(out)]) == 2
    found = read_intervals(out)
    assert found == read_intervals(out)
    assert calibrate(run_folder, DataConfig("DATA"), out=out, overwrite=True) == found

    files = api.predict_files(run_folder, DataConfig("DATA", format="h5ad"), out=tmp_path / "p", intervals=out)
    predicted = read_prediction(files[3])
    assert (predicted.layers["low"] <= predicted.layers["high"]).all()
    with pytest.raises(InputError, match="found another one"):
        api.predict_files(run_folder, DataConfig("DATA", format="h5ad"), out=tmp_path / "p", sample=1)
    drawn = read_prediction(
        api.predict_files(run_folder, DataConfig("DATA", format="h5ad"), out=tmp_path / "d", sample=1, intervals=out)[3]
    )
    assert drawn.uns["mclstexp"]["sample"]["seed"] == 1
    np.testing.assert_array_equal(drawn.layers["low"], predicted.layers["low"])
    assert not np.allclose(drawn.X, predicted.X)


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "i.json"
    infinite = {"format": 1, "method": "knn", "options": {}, "terms": {}, "level": 0.8, "scope": "x"}
    infinite["widths"] = {"G": float("inf")}
    for text in ("", "[]", "{}", json.dumps({"format": 9}), json.dumps(infinite)):
        path.write_text(text)
        with pytest.raises(InputError, match="intervals that mclstexp calibrate wrote"):
            read_intervals(path)
