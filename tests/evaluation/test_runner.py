"""Running an experiment: what dies is a row, what is finished is kept, what is missing is computed."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import ROOM
from mclstexp.evaluation import worker
from mclstexp.evaluation.crew import Crew
from mclstexp.evaluation.experiment import Experiment, experiment_of
from mclstexp.evaluation.run_plan import Plan, safe_name
from mclstexp.evaluation.runner import run_plan
from mclstexp.methods import list_methods
from processes import started

MORTAL = '''
"""A method that dies once."""
import os, signal, time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mclstexp.core.predictor import Predictor, State, register


@register("mortal")
@dataclass
class Mortal(Predictor):
    """Kills its process, or waits, where a file says so."""

    folder: str = ""
    """Where the file lies."""

    def _fit(self, sections):
        if (Path(self.folder) / "die").exists() and {"P2", "P3"} == {s.patient for s in sections}:
            os.kill(os.getpid(), signal.SIGKILL)
        if (Path(self.folder) / "wait").exists() and {"P1", "P2"} == {s.patient for s in sections}:
            time.sleep(60)

    def _predict(self, tiles):
        return np.ones((len(tiles), len(self.genes_)), np.float32)

    def _get_state(self):
        return State({}, {})

    def _set_state(self, state):
        pass
'''


@pytest.fixture
def content(tmp_path, monkeypatch):
    monkeypatch.setattr(ROOM, "_known", dict(list_methods()))  # other tests need not know it
    (tmp_path / "mortal.py").write_text(MORTAL)
    return {
        "data": {"synthetic": {"n_patients": 3, "n_spots_side": 4, "n_genes": 10, "mpp": 4.0}},
        "tile": {"size_px": 32, "mpp": 4.0},
        "encoder": "random:test_efficientnet",
        "gene_sets": {"top": {"heg": 3}},
        "methods": {
            "mine": {"file": str(tmp_path / "mortal.py"), "folder": str(tmp_path)},
            "ridge": {"n_components": 4},
        },
    }


def _run(content, folder):
    """Run with two methods alone: each takes a process, whose start takes seconds."""
    seen = []
    plan = Plan(experiment_of(content, where="test"), folder, code={"source": "the same"})
    plan.__dict__["methods"] = {label: method for label, method in plan.methods.items() if label in ("mean", "mine")}
    scores = run_plan(plan, jobs=2, on_event=lambda *e: seen.append(e))
    return scores, seen


@pytest.mark.slow
def test_a_death_is_a_row_and_the_next_run_computes_that_part_alone(content, tmp_path):
    (tmp_path / "die").touch()
    scores, seen = _run(content, tmp_path / "run")
    failed = scores[scores["metric"] == "failed"]
    assert failed[["method", "fold"]].to_numpy().tolist() == [["mine", "P1"]]
    assert failed["reason"].tolist() == ["its process was ended by SIGKILL: was there memory enough?"]
    assert set(scores["method"].unique()) == {"mean", "mine", "depth oracle", "noise ceiling"}
    assert seen[0] == ("", "", "of 6")
    assert ("mine", "P1", "died") in seen
    assert sum(state == "done" for *_, state in seen) == 5
    costs = scores[scores["metric"] == "peak_mib"]
    assert (costs["value"] > 100).all(), "each process's own memory, MiB"
    assert (tmp_path / "run" / "predictions" / "mean" / "P1_S1.h5ad").is_file()
    logs = {path.stem: path.read_text() for path in (tmp_path / "run" / "logs").iterdir()}
    assert set(logs) == {"mean", "mine"}
    assert not any("Fatal" in log for log in logs.values()), "who is done leaves in peace"

    (tmp_path / "die").unlink()
    again, seen = _run(content, tmp_path / "run")
    assert seen == [("", "", "of 1"), ("mine", "P1", "begun"), ("mine", "P1", "done")]
    assert not (again["metric"] == "failed").any()
    same = ["method", "fold", "section", "gene", "metric", "value"]
    kept, kept_before = (table[table["method"] == "mean"][same].astype(str) for table in (again, scores))
    assert kept.to_numpy().tolist() == kept_before.to_numpy().tolist()


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_no_process_and_goes_on_where_it_stopped(content, tmp_path):
    (tmp_path / "wait").touch()
    lines = ['encoder = "random:test_efficientnet"']
    lines += ["[data.synthetic]", "n_patients = 3", "n_spots_side = 4", "n_genes = 10", "mpp = 4.0"]
    lines += ["[tile]", "size_px = 32", "mpp = 4.0", "[gene_sets]", "top = { heg = 3 }"]
    lines += ["[methods.mine]", f'file = "{tmp_path}/mortal.py"', f'folder = "{tmp_path}"']
    (tmp_path / "e.toml").write_text("\n".join(lines))
    command = [sys.executable, "-m", "mclstexp", "evaluate", str(tmp_path / "e.toml"), "--out", str(tmp_path / "out")]
    parts = tmp_path / ".out.partial" / "parts"
    with started([*command, "--jobs", "2"], stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 240
        # all but the one that waits
        while len(list(parts.glob("*/scores.parquet.seal"))) < 20 and time.monotonic() < deadline:
            time.sleep(0.2)
        before = {path.parent.name: path.stat().st_mtime_ns for path in parts.glob("*/scores.parquet.seal")}
        assert len(before) == 20
        process.send_signal(signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 60
    while (ours := _workers(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert ours == [], "workers end with the run"
    assert not (tmp_path / "out").exists()

    (tmp_path / "wait").unlink()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    judged = [line for line in done.stderr.splitlines() if line.endswith(": done")]
    assert judged == ["mine, P3: done"], "the missing part alone"
    assert not pd.read_parquet(tmp_path / "out" / "scores.parquet")["metric"].eq("failed").any()
    assert not (tmp_path / ".out.partial").exists()


def _workers(folder):
    """Command lines of the processes that judge methods for a run in this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found.append((process / "cmdline").read_text(encoding="utf-8", errors="replace"))
    return [line for line in found if "mclstexp.evaluation.worker" in line and str(folder) in line]


def test_a_part_depends_on_options_data_and_code_alone(content, tmp_path):
    plan = Plan(experiment_of(content, where="test"), tmp_path)
    key = plan.key("ridge", "P1")
    assert key == Plan(experiment_of(content, where="test"), tmp_path / "elsewhere").key("ridge", "P1")
    assert key != plan.key("ridge", "P2")
    for change in (
        {"methods": {**content["methods"], "ridge": {"n_components": 5}}},
        {"data": {"synthetic": {**content["data"]["synthetic"], "seed": 1}}},
        {"space": {"hvg": 5}},
    ):
        assert Plan(experiment_of(content | change, where="test"), tmp_path).key("ridge", "P1") != key
    other = Plan(plan.experiment, tmp_path, {**plan.code, "source": "edited"})
    assert other.key("ridge", "P1") != key
    more = {**content["methods"], "mean": {}}
    assert Plan(experiment_of(content | {"methods": more}, where="test"), tmp_path).key("ridge", "P1") == key


def test_names_are_spelt_as_files():
    assert safe_name("a/b: c*") == "a_b_ c_"
    assert Experiment().predictions
    assert os.sep not in safe_name(os.sep)


def test_a_worker_without_room_says_so_and_is_no_failure_of_its_method(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("leave_signals_to_the_run", "_leave_with_the_run"):
        monkeypatch.setattr(worker, name, lambda: None)
    monkeypatch.setattr(worker, "read_plan", lambda folder: SimpleNamespace(folder=folder))
    monkeypatch.setattr(worker, "judge_part", full)
    with pytest.raises(SystemExit, match="2"):
        worker.main([str(tmp_path), "mean", "P1", "P2"])
    begun, refused = map(json.loads, capsys.readouterr().out.splitlines())
    assert (begun["state"], refused["state"]) == ("begun", "refused")
    assert refused["reason"].startswith(f"room on the disk expected for {tmp_path}, found: No space left")


def test_a_run_ends_with_the_first_worker_that_has_no_room(content, tmp_path, monkeypatch):
    n_started, start = [], Crew.start

    def start_refused(self, command, **options):
        n_started.append(command)
        line = json.dumps({"fold": command[-1], "state": "refused", "reason": "room expected, found none: make room"})
        return start(self, [sys.executable, "-S", "-c", f"print({line!r})"], **options)

    monkeypatch.setattr(Crew, "start", start_refused)
    with pytest.raises(InputError, match="room expected, found none: make room"):
        _run(content, tmp_path / "run")
    assert len(n_started) <= 4, "others were begun though there is no room"
