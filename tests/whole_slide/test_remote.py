"""Slides and results in object stores: fetched whole, sent last things last, found again."""

import contextlib
from dataclasses import replace
from pathlib import Path

import anndata as ad
import fsspec
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from many_slides import SETTINGS, make_lab
from mclstexp.core.errors import InputError
from mclstexp.data.features import cache_folder
from mclstexp.whole_slide.batch import predict_job, read_model
from mclstexp.whole_slide.ledger import Ledger
from mclstexp.whole_slide.manifest import SlideJob, list_slides
from mclstexp.whole_slide.places import Place
from mclstexp.whole_slide.remote import at_hand


@pytest.fixture
def store():
    store = fsspec.filesystem("memory")
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return make_lab(tmp_path_factory.mktemp("lab"), "ab")


def run_here(batch):
    model, ledger = read_model(batch.run), Ledger(batch)
    for job in ledger.open(model):
        ledger.add(predict_job(model, job, batch))
    return ledger.close()


@pytest.mark.slow
def test_slides_and_results_of_a_store_are_those_of_this_machine(lab, store, tmp_path):
    for name in ("a.png", "b.png"):
        store.put_file(str(lab.slide(name)), f"/hospital/{name}")
    store.pipe_file("/hospital/c.png", b"no picture")
    batch = lab.batch(out="memory://results/today", jobs=list_slides("memory://hospital"))
    table = run_here(batch)
    assert table["state"].tolist() == ["done", "done", "failed"]
    assert "c.png" in table["reason"][2]
    failures = pd.read_csv(store.open("/results/today/failed.csv"))
    assert failures["slide"].tolist() == ["memory://hospital/c.png"]
    expected = lab.expected()
    for name in "ab":
        store.get_file(f"/results/today/{name}.h5ad", str(tmp_path / "found.h5ad"))
        assert_array_equal(ad.read_h5ad(tmp_path / "found.h5ad").X, expected[name].X)
    written = [name.rpartition("/")[2] for name in sorted(store.ls("/results/today", detail=False))]
    assert written == [
        *(".done", "a.h5ad", "a.png", "a.tissue.geojson", "b.h5ad", "b.png", "b.tissue.geojson"),
        *("failed.csv", "run.json", "summary.csv"),
    ]
    assert not [path for path in (cache_folder() / "slides").rglob("*") if path.is_file()], "nothing is left here"

    store.put_file(str(lab.slide("a.png")), "/hospital/c.png")
    again = run_here(batch)
    assert again["state"].tolist() == ["skipped", "skipped", "done"]
    assert not store.exists("/results/today/failed.csv")
    with pytest.raises(InputError, match=r"same settings expected in memory://results/today, found others"):
        run_here(replace(batch, settings=replace(SETTINGS, stride_um=None)))


def test_local_files_take_no_detour(lab):
    slide = lab.slide("a.png")
    with at_hand(SlideJob("x", str(slide)), Place(str(lab.folder / "o")), suffix=".h5ad", mask="m") as here:
        assert (here.slide, here.mask, here.out, here.workdir) == (slide, "m", lab.folder / "o" / "x.h5ad", None)


def test_companions_and_masks_come_along(store, tmp_path):
    series = b"DICM\x20\x00\x0e\x00UI\x04\x001.2"
    files = {"m.mrxs": b"1", "m/Slidedat.ini": b"2", "m/sub/Data.dat": b"3", "other.mrxs": b"4"}
    files |= {"d/1.dcm": series + b"3", "d/2.dcm": series + b"3", "d/3.dcm": series + b"4", "mask.geojson": b"{}"}
    for name, content in files.items():
        store.pipe_file(f"/in/{name}", content)

    def fetched(source):
        job, out = SlideJob("x", f"memory://in/{source}"), Place(str(tmp_path))
        with at_hand(job, out, suffix=".h5ad", mask="memory://in/mask.geojson") as here:
            assert here.mask is not None
            assert Path(here.mask).read_bytes() == b"{}"
            return {path.relative_to(here.slide.parent).as_posix(): path.read_bytes() for path in found(here.slide)}

    def found(slide):
        return [path for path in sorted(slide.parent.rglob("*")) if path.is_file()]

    assert fetched("m.mrxs") == {name: files[name] for name in ("m.mrxs", "m/Slidedat.ini", "m/sub/Data.dat")}
    assert list(fetched("d/1.dcm")) == ["1.dcm", "2.dcm"]
    with pytest.raises(InputError, match=r"a file expected at memory://in/none.svs, found none"):
        fetched("none.svs")
    assert not [path for path in (cache_folder() / "slides").rglob("*") if path.is_file()]


def test_blocks_of_a_killed_run_are_found_again(store, tmp_path):
    store.pipe_file("/in/x.svs", b"1")
    job, out = SlideJob("x", "memory://in/x.svs"), Place("memory://out")
    with contextlib.suppress(ZeroDivisionError), at_hand(job, out, suffix=".h5ad", mask=None) as here:
        here.workdir.mkdir()
        raise ZeroDivisionError
    with at_hand(job, out, suffix=".h5ad", mask=None) as again:
        assert again == here
        assert again.workdir.exists()
        again.out.write_bytes(b"result")
    assert not here.workdir.exists()
    assert store.cat_file("/out/x.h5ad") == b"result"


def test_a_tree_counts_once_its_root_is_there(store, tmp_path, monkeypatch):
    tree = tmp_path / "x.zarr"
    (tree / "table" / "X").mkdir(parents=True)
    for name in ("zarr.json", "table/zarr.json", "table/X/0"):
        (tree / name).write_text(name)
    store.pipe_file("/out/x.zarr/stale", b"of an earlier run")
    assert not Place("memory://out/x.zarr").is_whole()
    sent = []
    put = type(store).put
    monkeypatch.setattr(type(store), "put", lambda self, a, b, **k: sent.extend(b) or put(self, a, b, **k))
    Place("memory://out/x.zarr").send(tree)
    assert sent[-1] == "/out/x.zarr/zarr.json"
    assert sorted(store.find("/out")) == [f"/out/x.zarr/{n}" for n in ("table/X/0", "table/zarr.json", "zarr.json")]
    assert Place("memory://out/x.zarr").is_whole()


def test_what_a_store_says_is_one_sentence(monkeypatch):
    def refused(*_, **__):
        raise PermissionError("Access\nDenied")

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.isdir", refused)
    with pytest.raises(InputError, match=r"at memory://in, found: PermissionError: Access Denied$"):
        list_slides("memory://in")
