"""Features of whole slides in files: what they hold, resumption, and slides that fail."""

import fsspec
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file

from made_cohort import made_table, written
from mclstexp.cohort.config import CohortConfig
from mclstexp.cohort.table import read_cohort
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.slides import open_slide
from mclstexp.sight.embed import embed_tiles
from mclstexp.whole_slide.features import Embedding, embed_slides
from mclstexp.whole_slide.grid import lay_grid
from mclstexp.whole_slide.settings import SlideSettings
from small_methods import ENCODER, small_sections

SPEC = TileSpec(32, 4.0)
HOW = Embedding(ENCODER, SPEC)


@pytest.fixture
def slides(tmp_path):
    """Three slides, the last of which is none, in a table with their scale."""
    rows = []
    for name, section in zip("ab", small_sections(2), strict=True):
        Image.fromarray(section.tiles.slide.thumbnail(10_000)).save(tmp_path / f"{name}.png")
    (tmp_path / "c.png").write_bytes(b"no picture")
    rows = [{"slide": f"{name}.png", "name": name, "mpp": 4.0} for name in "abc"]
    pd.DataFrame(rows).to_csv(tmp_path / "slides.csv", index=False)
    return tmp_path / "slides.csv"


def test_a_file_holds_what_the_encoder_says_of_each_tile(slides, tmp_path):
    heard = []
    failed = embed_slides(str(slides), tmp_path / "out", how=HOW, on_slide=lambda *event: heard.append(event))
    assert list(failed) == ["c"]
    assert heard[:2] == [("a", "done"), ("b", "done")]
    held = load_file(tmp_path / "out" / "a.safetensors")
    tiles = lay_grid(open_slide(tmp_path / "a.png", mpp=4.0), SPEC, settings=SlideSettings()).tiles
    np.testing.assert_array_equal(held["xy"], tiles.xy)
    np.testing.assert_allclose(held["features"], embed_tiles(tiles, ENCODER), rtol=1e-6)


def test_what_is_whole_is_not_made_again(slides, tmp_path):
    out = tmp_path / "out"
    embed_slides(str(slides), out, how=HOW, only=["a", "b"])
    before = (out / "a.safetensors").stat().st_mtime_ns
    (out / "b.safetensors").write_bytes((out / "b.safetensors").read_bytes()[:-8])  # damaged
    heard = []
    embed_slides(str(slides), out, how=HOW, only=["a", "b"], on_slide=lambda *event: heard.append(event))
    assert heard == [("a", "there already"), ("b", "done")]
    assert (out / "a.safetensors").stat().st_mtime_ns == before
    heard.clear()
    other = Embedding(ENCODER, TileSpec(32, 6.0))
    embed_slides(str(slides), out, how=other, only=["a"], on_slide=lambda *event: heard.append(event))
    assert heard == [("a", "done")]


@pytest.fixture
def store(slides):
    """The same slides in an object store."""
    store = fsspec.filesystem("memory")
    for path in (*slides.parent.glob("*.png"), slides):
        store.put_file(str(path), f"/hospital/{path.name}")
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


def test_slides_of_a_store_give_the_same_and_are_fetched_once(slides, store, tmp_path, monkeypatch):
    heard = []
    out = {"how": HOW, "on_slide": lambda *event: heard.append(event)}
    failed = embed_slides("memory://hospital/slides.csv", tmp_path / "far", **out)
    assert heard[:2] == [("a", "done"), ("b", "done")]
    assert list(failed) == ["c"]
    embed_slides(str(slides), tmp_path / "near", how=HOW, only=["a", "b"])
    for name in "ab":
        far, near = (load_file(tmp_path / where / f"{name}.safetensors") for where in ("far", "near"))
        np.testing.assert_array_equal(far["features"], near["features"])
        np.testing.assert_array_equal(far["xy"], near["xy"])

    fetched, get = [], type(store).get_file
    monkeypatch.setattr(type(store), "get_file", lambda self, key, *to, **k: fetched.append(key) or get(self, key, *to))
    heard.clear()
    embed_slides("memory://hospital/slides.csv", tmp_path / "far", only=["a", "b"], **out)
    assert heard == [("a", "there already"), ("b", "there already")]
    assert not fetched, "what is there is not fetched to see that it is"
    store.put_file(str(slides.parent / "b.png"), "/hospital/a.png")
    heard.clear()
    embed_slides("memory://hospital/slides.csv", tmp_path / "far", only=["a", "b"], **out)
    assert heard == [("a", "done"), ("b", "there already")]
    assert len(fetched) == 1


def test_where_slides_are_spread_is_told_apart_from_here(said, slides, tmp_path):
    table = written(made_table(3).assign(patient=list("abc")), tmp_path)
    words = ("cohort", "features", table, "--slides", slides, "--encoder", ENCODER, "--out", tmp_path / "features")
    code, _, error = said(*words, "--jobs", 2)
    assert code == 2
    assert "--cluster ray expected with --jobs" in error
    code, _, error = said(*words, "--cluster", "ray", "--jobs", 0)
    assert code == 2
    assert "--jobs of 1 or more expected, found 0" in error


def test_slides_that_are_not_there_are_said(slides, tmp_path):
    with pytest.warns(UserWarning, match=r"1 of 2 slides are not in .* \(z\)"):
        embed_slides(str(slides), tmp_path / "out", how=HOW, only=["a", "z"])
    with pytest.raises(InputError, match=r"slides named as in the table expected in .*, found none of 1"):
        embed_slides(str(slides), tmp_path / "out", how=HOW, only=["z"])


def test_the_command_makes_what_a_cohort_reads(said, slides, tmp_path):
    table = written(made_table(3).assign(patient=list("abc")), tmp_path)
    words = ("cohort", "features", table, "--slides", slides, "--encoder", ENCODER, "--out", tmp_path / "features")
    code, out, _ = said(*words, "--size-px", 32, "--mpp", 4)
    assert code == 1  # one is no picture
    assert "a: done" in out
    assert "1 slides failed: c" in out
    config = {"path": str(table), "outcome": "os:os_days,os_event", "features": str(tmp_path / "features")}
    patients = read_cohort(CohortConfig(**config, coarser=(str(tmp_path / "features"),))).patients
    assert patients.bags[2] is None
    held = load_file(tmp_path / "features" / "a.safetensors")["features"]
    np.testing.assert_array_equal(patients.bags[0].take(range(len(held))), held)
    assert patients.bags[0].coarser[0].n_tiles == len(held)
