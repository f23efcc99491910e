"""The same slides on a local Ray cluster, of which a process is killed in the middle of its slide."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from many_slides import assert_same, make_lab
from mclstexp.core.errors import InputError
from mclstexp.whole_slide.ray_cluster import _anchored, _resources, predict_slides_on_ray
from mclstexp.whole_slide.settings import SlideSettings

ray = pytest.importorskip("ray", reason="needs the extra ray")
TESTS = Path(__file__).parents[1]


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))  # for told_slides in other processes
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    return make_lab(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray
def test_a_process_killed_in_the_middle_of_a_slide_loses_nothing(lab):
    lab.slide("b.wait").touch()
    killer = threading.Thread(target=_kill_once_it_says, args=[lab.slide("b.process")])
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    try:
        killer.start()
        table = predict_slides_on_ray(lab.batch(), cpus_each=1).set_index("name")
    finally:
        killer.join()
        ray.shutdown()
    assert lab.slide("b.process").with_suffix(".killed").exists()
    assert (table["state"] == "done").all()
    expected = lab.expected()
    for name in "abc":
        assert_same(lab.folder / "out" / f"{name}.h5ad", expected[name])
    assert table["tiles_per_second"]["b"] * table["seconds"]["b"] < table["tiles"]["b"] / 2, "the first half was kept"


def _kill_once_it_says(said):
    for _ in range(1200):
        if said.exists() and said.read_text():
            os.kill(int(said.read_text()), signal.SIGKILL)
            said.rename(said.with_suffix(".killed"))
            return
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray
def test_a_slide_that_kills_each_process_is_a_line_and_the_rest_goes_on(lab):
    lab.slide("a.die").touch()
    lab.slide("b.bug").touch()
    events = []
    table = predict_slides_on_ray(lab.batch(), n_actors=1, on_event=events.append)
    assert table["state"].tolist() == ["failed", "failed", "done"]
    died, unexpected = pd.read_csv(lab.folder / "out" / "failed.csv")["reason"]
    assert died.startswith("its process on the cluster was lost, 3 times")
    assert unexpected == "unexpected error (ZeroDivisionError: division by zero)"
    assert [(event.state, event.slide) for event in events] == [
        *[("planned", ""), ("begun", "a"), ("failed", "a"), ("begun", "b"), ("failed", "b")],
        *[("begun", "c"), ("done", "c")],
    ]
    assert not ray.is_initialized(), "a cluster of our own is gone afterwards"


def test_actors_get_a_gpu_each_or_a_share_of_the_cpus():
    assert _resources({"CPU": 64.0, "GPU": 4.0}, cpus_each=4) == ({"num_gpus": 1, "num_cpus": 4}, 4)
    assert _resources({"CPU": 8.0, "GPU": 8.0}, cpus_each=4) == ({"num_gpus": 1, "num_cpus": 1}, 8)
    assert _resources({"CPU": 30.0}, cpus_each=4) == ({"num_cpus": 4}, 7)
    assert _resources({"CPU": 2.0}, cpus_each=4) == ({"num_cpus": 2}, 1)


def test_paths_are_spelt_in_full_for_other_machines(lab, monkeypatch):
    monkeypatch.chdir(lab.folder)
    batch = _anchored(lab.batch(out="memory://out", settings=SlideSettings(mask="m.geojson")))
    assert batch.settings.mask == str(lab.folder / "m.geojson")
    assert batch.out == "memory://out"


def test_without_ray_it_is_said_how_to_get_it(lab, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"Ray expected for a cluster, found none: pip install 'mclstexp\[ray\]'"):
        predict_slides_on_ray(lab.batch())


@pytest.mark.filterwarnings("ignore")  # of importing Ray
def test_a_cluster_that_does_not_answer_is_one_sentence(lab):
    with pytest.raises(InputError, match=r"a Ray cluster expected at 127.0.0.1:9, found none \(.*refused\): check"):
        predict_slides_on_ray(lab.batch(), address="127.0.0.1:9")
    assert not (lab.folder / "out").exists()
