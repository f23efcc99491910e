"""`doctor` says what is there and what is missing for what; `cache` says what it holds and is kept within bounds."""

import os

import numpy as np
import pytest
from filelock import FileLock

from mclstexp.api import doctor
from mclstexp.cli import run
from mclstexp.data.cache_use import bound_features, kept_features, sizes
from mclstexp.data.features import FeatureCache


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MCLSTEXP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _fill(cache, key, *, used, n_tiles=10):
    kept = FeatureCache(cache, key=key)
    kept.check_writable()
    kept.add(np.arange(2.0 * n_tiles).reshape(-1, 2), np.ones((n_tiles, 4), np.float32))
    os.utime(cache / "features" / key[:2] / key, (used, used))
    return kept


def test_the_doctor_names_packages_device_and_cache(cache, capsys):
    assert run(["doctor"]) == 0
    said = capsys.readouterr().out
    for part in ("mclstexp", "torch", "device", "threads", "cache", "empty", "efficientnet_lite0"):
        assert part in said


def test_a_missing_extra_is_named_with_what_needs_it_and_how_to_have_it(monkeypatch):
    monkeypatch.setattr(doctor, "_of_extras", lambda: {"gimvi": ["scvi-tools-nowhere"], "rich": ["rich"]})
    gimvi, rich = doctor._extras()
    assert gimvi.found == "not installed (scvi-tools-nowhere), needed by imputation.gimvi"
    assert gimvi.advice == "pip install 'mclstexp[gimvi]'"
    assert (rich.found, rich.advice) == ("installed", "")


def test_extras_are_those_of_the_installed_package():
    extras = doctor._of_extras()
    assert extras["faiss"] == ["faiss-cpu"]
    assert "dev" not in extras


def test_the_cache_says_what_it_holds(cache, capsys):
    _fill(cache, "ab1", used=1)
    (cache / "strange.txt").write_text("12345")
    held = sizes()
    assert held["features"][0] == 1
    assert held["other"] == (1, 5)
    assert run(["cache"]) == 0
    assert "embeddings of tiles" in capsys.readouterr().out


def test_the_longest_unused_go_first(cache):
    for number, key in enumerate(["ab1", "cd2", "ef3"]):
        _fill(cache, key, used=1000 + number)
    one = kept_features()[0].n_bytes
    removed = bound_features(2 * one)
    assert [each.path.name for each in removed] == ["ab1"]
    assert [each.path.name for each in kept_features()] == ["cd2", "ef3"]
    assert bound_features(2 * one) == []


def test_what_is_found_counts_as_used(cache):
    kept = _fill(cache, "ab1", used=1000)
    _fill(cache, "cd2", used=2000)
    kept.lookup(np.zeros((1, 2)), dim=4)
    assert [each.path.name for each in kept_features()] == ["cd2", "ab1"]


def test_what_a_run_is_filling_stays(cache):
    _fill(cache, "ab1", used=1000)
    with FileLock(cache / "features" / "ab" / "ab1" / "turn.lock"):
        assert bound_features(0) == []
    assert [each.path.name for each in bound_features(0)] == ["ab1"]
    assert kept_features() == []


@pytest.mark.parametrize("limit", ["-1", "nan", "inf"])
def test_a_limit_is_a_number(cache, limit, capsys):
    assert run(["cache", "--limit-gb", limit]) == 2
    assert "--limit-gb" in capsys.readouterr().err


def test_a_bounded_cache_still_serves(cache, capsys):
    kept = _fill(cache, "ab1", used=1000)
    assert run(["cache", "--limit-gb", "0"]) == 0
    assert "removed 1 of 1 sets of embeddings" in capsys.readouterr().out
    _, present = kept.lookup(np.zeros((1, 2)), dim=4)
    assert not present.any()
    kept.check_writable()
    kept.add(np.zeros((1, 2)), np.ones((1, 4), np.float32))
    _, present = kept.lookup(np.zeros((1, 2)), dim=4)
    assert present.all()
