"""Many slides: what fails or dies is a line, the rest goes on, a restart does what is missing, nothing outlives us."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import anndata as ad
import pandas as pd
import pytest

from many_slides import assert_same, make_lab
from mclstexp.core.errors import InputError
from mclstexp.whole_slide.batch import Batch, Outcome, failed, predict_job, read_model
from mclstexp.whole_slide.ledger import Ledger, _read_table
from mclstexp.whole_slide.manifest import SlideJob
from mclstexp.whole_slide.many import _own_gpu, predict_slides
from mclstexp.whole_slide.settings import SlideSettings
from processes import half_written, python, started

TESTS = Path(__file__).parents[1]


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))  # for told_slides in other processes
    return make_lab(tmp_path)


def states(table):
    return dict(zip(table["name"], table["state"], strict=True))


@pytest.mark.slow
def test_deaths_and_errors_are_lines_and_a_restart_does_what_is_missing(lab):
    lab.slide("a.die").touch()
    lab.slide("b.bug").touch()
    events = []
    table = predict_slides(lab.batch(), on_event=events.append)
    assert states(table) == {"a": "failed", "b": "failed", "c": "done"}
    lines = pd.read_csv(lab.folder / "out" / "failed.csv")
    assert lines.to_dict("list") == {
        "name": ["a", "b"],
        "slide": [str(lab.slide("a.png")), str(lab.slide("b.png"))],
        "reason": [
            "its process was ended by SIGKILL: was there memory enough?",
            "unexpected error (ZeroDivisionError: division by zero)",
        ],
    }
    assert (events[0].state, events[0].n_done, events[0].n_total) == ("planned", 0, 3)
    assert [e.slide for e in events if e.state == "begun"] == list("abc")
    assert any(e.state == "tiles" and e.slide == "c" and e.n_done == e.n_total for e in events)
    log = (lab.folder / "out" / "logs" / "process1.txt").read_text()
    assert "Traceback" in log
    assert "told_slides.py" in log
    expected = lab.expected()
    assert_same(lab.folder / "out" / "c.h5ad", expected["c"])
    row = table.set_index("name").loc["c"]
    assert row["tiles"] == expected["c"].n_obs
    assert row["tissue_mm2"] > 0.1
    assert row["tiles_per_second"] == pytest.approx(row["tiles"] / row["seconds"], rel=0.01)

    lab.slide("a.die").unlink()
    lab.slide("b.bug").unlink()
    again = run_here(lab.batch())
    assert states(again) == {"a": "done", "b": "done", "c": "skipped"}
    assert not (lab.folder / "out" / "failed.csv").exists()
    assert again["tiles"].tolist() == [expected[name].n_obs for name in "abc"], "of skipped ones as told before"
    written = pd.read_csv(lab.folder / "out" / "summary.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(written, again, check_dtype=False)
    for name in "ab":
        assert_same(lab.folder / "out" / f"{name}.h5ad", expected[name])


def run_here(batch):
    """What the processes do, in this one."""
    model, ledger = read_model(batch.run), Ledger(batch)
    for job in ledger.open(model):
        ledger.add(predict_job(model, job, batch))
    return ledger.close()


def test_what_is_wrong_with_a_slide_is_its_own(lab):
    jobs = [
        SlideJob("fine", str(lab.slide("a.png")), mpp=4.0),
        SlideJob("nothing", str(lab.slide("x.png"))),
        SlideJob("coarse", str(lab.slide("a.png")), mpp=9.0),
        SlideJob("mask", str(lab.slide("a.png")), mask=str(lab.slide("no.geojson"))),
    ]
    table = run_here(lab.batch(jobs=jobs)).set_index("name")
    assert table["state"].tolist() == ["done", "failed", "failed", "failed"]
    assert table["reason"]["nothing"].startswith("an image file expected at")
    assert "at most 4 µm per pixel" in table["reason"]["coarse"]
    assert "no.geojson" in table["reason"]["mask"]
    assert sorted(path.name for path in (lab.folder / "out").iterdir()) == [
        *(".done", "failed.csv", "fine.h5ad", "fine.png", "fine.tissue.geojson", "run.json", "summary.csv"),
    ]


def test_a_folder_belongs_to_one_model_and_its_settings(lab):
    batch = lab.batch()
    model = read_model(batch.run)
    assert len(Ledger(batch).open(model)) == 3
    said = json.loads((lab.folder / "out" / "run.json").read_text())
    assert (said["method"], said["settings"]["stride_um"]) == ("ridge", 64.0)
    (lab.folder / "out" / "a.h5ad").touch()
    assert len(Ledger(batch).open(model)) == 3, "of an empty file nobody said that it is done"
    other = replace(batch, settings=SlideSettings(mpp=4.0))
    with pytest.raises(InputError, match=r"same model with the same settings expected in .*out, found others: choose"):
        Ledger(other).open(model)
    assert (lab.folder / "out" / "a.h5ad").exists()
    assert len(Ledger(replace(other, overwrite=True)).open(model)) == 3
    assert not (lab.folder / "out" / "a.h5ad").exists(), "or it would pass for one of the new settings"
    assert len(Ledger(other).open(model)) == 3
    (lab.folder / "out" / "run.json").unlink()
    (lab.folder / "out" / "a.h5ad").touch()
    with pytest.raises(InputError, match="found others"):
        Ledger(other).open(model)


def left_to_do(batch):
    return [job.name for job in Ledger(batch).open(read_model(batch.run))]


def test_what_has_changed_since_is_made_again_and_nothing_else(lab):
    jobs = [replace(job, mask=None) for job in lab.batch().jobs]
    batch, out = lab.batch(jobs=jobs), lab.folder / "out"
    assert set(run_here(batch)["state"]) == {"done"}
    assert left_to_do(batch) == []
    assert left_to_do(replace(batch, jobs=(replace(jobs[0], mpp=3.9), *jobs[1:]))) == ["a"]
    mask = lab.folder / "mask.geojson"
    mask.write_bytes((out / "b.tissue.geojson").read_bytes())
    masked = replace(batch, jobs=(jobs[0], replace(jobs[1], mask=str(mask)), jobs[2]))
    assert left_to_do(masked) == ["b"]
    assert states(run_here(masked)) == {"a": "skipped", "b": "done", "c": "skipped"}
    assert left_to_do(masked) == []
    mask.write_text(mask.read_text().replace("tissue", "Tissue") + " ")
    assert left_to_do(masked) == ["b"]
    mask.write_bytes((out / "b.tissue.geojson").read_bytes())
    lab.slide("c.png").write_bytes(lab.slide("a.png").read_bytes())
    assert left_to_do(masked) == ["c"]
    lab.slide("c.png").unlink()
    assert left_to_do(masked) == [], "its result was made of what it was"


@pytest.mark.slow
def test_a_result_that_was_changed_since_is_made_again_and_not_lost(lab):
    batch, out = lab.batch(jobs=lab.batch().jobs[:2]), lab.folder / "out"
    run_here(batch)
    content = bytearray((out / "a.h5ad").read_bytes())
    (out / "a.h5ad").write_bytes(content[: len(content) // 2])
    edited = ad.read_h5ad(out / "b.h5ad")
    edited.obs["mine"] = 1
    edited.write_h5ad(out / "b.h5ad")
    assert states(run_here(batch)) == {"a": "done", "b": "done"}
    assert "mine" in ad.read_h5ad(out / "b.h5ad.1").obs
    assert not (out / "a.h5ad.1").exists()
    assert left_to_do(batch) == []


def test_two_runs_of_one_part_are_one_too_many(lab):
    batch = lab.batch()
    with Ledger(batch).at_work():
        with pytest.raises(InputError, match=r"no other run works on expected, found a prediction of process \d+"):
            predict_slides(batch)
        with Ledger(replace(batch, shard="1/2")).at_work():
            assert len(Ledger(replace(batch, shard="1/2")).open(read_model(batch.run))) == 2
    assert not list((lab.folder / "out").glob(".*"))


def test_what_a_dead_run_left_half_written_is_removed_though_it_is_not_written_again(lab):
    out = lab.folder / "out"
    left = [half_written(folder / "a.json") for folder in (out, out / ".done")]
    with Ledger(lab.batch()).at_work():
        assert not any(path.exists() for path in left)


def test_a_slide_whose_line_could_not_be_written_is_done_again(lab, monkeypatch):
    batch = lab.batch()
    model, ledger = read_model(batch.run), Ledger(batch)
    job = ledger.open(model)[0]
    outcome = predict_job(model, job, batch)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "table", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ledger.add(outcome)
    assert outcome.state == "done"
    assert job in Ledger(batch).open(model)


def test_parts_have_tables_of_their_own_and_keep_what_others_wrote(lab):
    batch = lab.batch(shard="2/3")
    model = read_model(batch.run)
    ledger = Ledger(batch)
    (job,) = ledger.open(model)
    assert job.name == "b"
    ledger.add(failed(job, "no\ngood"))
    assert pd.read_csv(lab.folder / "out" / "failed.2of3.csv")["reason"].tolist() == ["no good"]
    again = Ledger(batch)
    assert again.open(model) == [job]
    assert (lab.folder / "out" / "failed.2of3.csv").exists(), "until it succeeds"
    again.add(Outcome("b", job.source, "done", tiles=10, unreadable=0, tissue_mm2=1.0, seconds=4.0, resumed=2))
    assert not (lab.folder / "out" / "failed.2of3.csv").exists()
    assert again.close()["tiles_per_second"].tolist() == [2.0]
    assert sorted(path.name for path in (lab.folder / "out").iterdir()) == ["run.json", "summary.2of3.csv"]


def test_the_folder_of_the_slides_is_refused(lab):
    with pytest.raises(InputError, match=r"a folder of their own expected for predictions, found that of the slide"):
        Ledger(lab.batch(out="slides")).open(read_model(lab.folder / "run"))
    assert not lab.slide("run.json").exists()
    with pytest.raises(InputError, match=r"a folder for the predictions of 3 slides expected, found .*x.h5ad"):
        lab.batch(out="x.h5ad")


def test_bad_wishes_are_one_sentence(lab):
    with pytest.raises(InputError, match="a positive number of processes expected, found 0"):
        predict_slides(lab.batch(), n_processes=0)
    with pytest.raises(InputError, match=r"a saved model .* expected"):
        predict_slides(replace(lab.batch(), run=str(lab.folder / "slides")))
    (lab.folder / "file").touch()
    with pytest.raises(InputError, match="a folder that can be written to expected"):
        predict_slides(lab.batch(out="file/out"))
    assert not (lab.folder / "out").exists()


def test_a_batch_survives_its_way_as_json(lab):
    batch = replace(lab.batch(shard="1/2"), settings=SlideSettings(heatmaps=("A", "B"), mask="m"))
    assert Batch.from_dict(json.loads(json.dumps(batch.to_dict()))) == replace(batch, jobs=())


def test_processes_spread_over_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 6")
    assert [_own_gpu(i, 2, n_processes=3)["CUDA_VISIBLE_DEVICES"] for i in range(3)] == ["4", "6", "4"]
    assert _own_gpu(0, 1, n_processes=3) == {}
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert _own_gpu(3, 2, n_processes=4) == {"CUDA_VISIBLE_DEVICES": "1"}


PROGRAM = """
import sys
from pathlib import Path
from many_slides import Lab
from mclstexp.whole_slide.many import predict_slides
predict_slides(Lab(Path(sys.argv[1])).batch(), n_processes=2)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_no_process_and_goes_on(lab, how):
    lab.slide("b.wait").touch()
    said = lab.slide("b.process")
    with started(python(PROGRAM, lab.folder), stderr=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 240
        while not (said.exists() and (lab.folder / "out" / "a.h5ad").exists()) and time.monotonic() < deadline:
            time.sleep(0.1)
        run.send_signal(how)
        run.wait(60)
        _wait_for_end(int(said.read_text()))
    assert not (lab.folder / "out" / "b.h5ad").exists()
    table = predict_slides(lab.batch()).set_index("name")
    assert table["state"]["a"] == "skipped"
    assert table["state"]["b"] == "done"
    expected = lab.expected()
    for name in "abc":
        assert_same(lab.folder / "out" / f"{name}.h5ad", expected[name])


@pytest.mark.slow
def test_a_worker_that_fails_says_why_and_no_more():
    """Its run still listens then, so that a thread of it waits for more."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with started([sys.executable, "-m", "mclstexp.whole_slide.worker"], text=True, **pipes) as worker:
        worker.stdin.write("no batch\n")
        worker.stdin.flush()
        assert worker.wait() == 1
        said = worker.stderr.read()
        assert "json.decoder.JSONDecodeError" in said
        assert "Fatal" not in said


def _wait_for_end(process):
    for _ in range(600):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("a worker outlives its run")


@pytest.mark.slow
def test_a_folder_where_a_table_goes_is_set_aside_and_kept(lab):
    names = ("summary.csv", "failed.csv")
    for name in names:
        (lab.folder / "out" / name).mkdir(parents=True)
        (lab.folder / "out" / name / "a note").write_text("of somebody's")
    run_here(lab.batch())
    assert [(lab.folder / "out" / f"{name}.1" / "a note").read_text() for name in names] == ["of somebody's"] * 2
    assert (lab.folder / "out" / "summary.csv").is_file()
    assert not (lab.folder / "out" / "failed.csv").exists()


@pytest.mark.parametrize("cell", ["gnp.exe", "1e400", "-inf", "7.5", "99999999999999999999999"])
def test_a_summary_that_somebody_has_edited_does_not_end_the_run(lab, cell):
    batch = lab.batch()
    (lab.folder / "out").mkdir()
    line = f"a,{lab.slide('a.png')},done,{cell},0,{cell},1,1,"
    head = "name,slide,state,tiles,unreadable,tissue_mm2,seconds,tiles_per_second,reason"
    (lab.folder / "out" / "summary.csv").write_text(f"{head}\n{line}\n")
    ledger = Ledger(batch)
    ledger._outcomes = _read_table(ledger._table("summary"))
    row = ledger.table().iloc[0]
    assert pd.isna(row["tiles"]) == (cell != "7.5")
    assert row["unreadable"] == 0
