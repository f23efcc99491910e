"""The same slides on a local Ray cluster, of which a process is killed in the middle of its slide."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file

from many_slides import assert_same, make_lab
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.whole_slide.desks import resources
from mclstexp.whole_slide.features import Embedding, embed_slides
from mclstexp.whole_slide.ray_cluster import _anchored, predict_slides_on_ray
from mclstexp.whole_slide.ray_features import on_ray
from mclstexp.whole_slide.settings import SlideSettings
from small_methods import ENCODER

ray = pytest.importorskip("ray", reason="needs the extra ray")
psutil = pytest.importorskip("psutil", reason="tells processes")
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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray
def test_features_on_a_cluster_are_those_of_this_machine_whoever_dies(lab):
    how = Embedding(ENCODER, TileSpec(32, 4.0))
    rows = [{"slide": f"slides/{name}.png", "name": name, "mpp": 4.0} for name in "abc"]
    pd.DataFrame(rows).to_csv(lab.folder / "slides.csv", index=False)
    lab.slide("b.png").write_bytes(b"no picture")
    heard, killed = {}, []

    def on_slide(name, said):
        heard[name] = said
        if not killed:
            killed.extend(_kill_actors())

    failed = embed_slides(
        str(lab.folder / "slides.csv"), lab.folder / "far", how=how, on_slide=on_slide, spread=on_ray(n_actors=1)
    )
    assert killed, "an actor was there to be killed"
    assert list(failed) == ["b"]
    assert (heard["a"], heard["c"]) == ("done", "done")
    embed_slides(str(lab.folder / "slides.csv"), lab.folder / "near", how=how, only=["a", "c"])
    for name in "ac":
        far, near = (load_file(lab.folder / where / f"{name}.safetensors") for where in ("far", "near"))
        assert_array_equal(far["features"], near["features"])
    heard.clear()
    embed_slides(str(lab.folder / "slides.csv"), lab.folder / "far", how=how, on_slide=on_slide, spread=on_ray())
    assert (heard["a"], heard["c"]) == ("there already", "there already")
    assert not ray.is_initialized()


def _kill_actors():
    """Kill the processes of actors, as Ray names them."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if (process.info["cmdline"] or [""])[0].startswith("ray::_Desk") and _is_ours(process):
            os.kill(process.info["pid"], signal.SIGKILL)
            found.append(process.info["pid"])
    return found


def _is_ours(process):
    """Whether this process started it, through Ray's own."""
    return os.getpid() in [parent.pid for parent in process.parents()]


def test_actors_get_a_gpu_each_or_a_share_of_the_cpus():
    assert resources({"CPU": 64.0, "GPU": 4.0}, cpus_each=4) == ({"num_gpus": 1, "num_cpus": 4}, 4)
    assert resources({"CPU": 8.0, "GPU": 8.0}, cpus_each=4) == ({"num_gpus": 1, "num_cpus": 1}, 8)
    assert resources({"CPU": 30.0}, cpus_each=4) == ({"num_cpus": 4}, 7)
    assert resources({"CPU": 2.0}, cpus_each=4) == ({"num_cpus": 2}, 1)


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
