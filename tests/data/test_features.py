"""The cache returns what was put in under the very same key and place, or nothing."""

import errno
import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from mclstexp.core import identity
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.data.features import FeatureCache, cache_folder
from mclstexp.io.atomic import atomic_path
from mclstexp.io.slides import ArraySlide
from processes import half_written, started

XY = np.random.default_rng(0).uniform(0, 1e4, (300, 2))
FEATURES = np.random.default_rng(1).normal(size=(300, 8)).astype(np.float32)


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path, key="ab" * 32)


def _shards(tmp_path):
    return sorted(tmp_path.rglob("*.safetensors"))


def _tiles(shade=0, size_px=32, mpp=0.5, name="slide"):
    pixels = np.full((64, 64, 3), shade, np.uint8)
    return Tiles(
        ArraySlide(pixels, mpp=0.5, id=name), np.array([[32.0, 32.0]]), np.array(["a"]), TileSpec(size_px, mpp)
    )


def _key(tiles, encoder="e", weights_hash="w", precision="float32"):
    sight = {"name": encoder, "weights_hash": weights_hash, "precision": precision, "device": "cpu"}
    return identity.of_features(tiles.slide, tiles.spec, sight=sight)


def test_any_subset_in_any_order_is_found(cache):
    cache.add(XY[:200], FEATURES[:200])
    cache.add(XY[200:], FEATURES[200:])
    order = np.random.default_rng(2).permutation(300)[:120]
    features, present = cache.lookup(XY[order], dim=8)
    assert present.all()
    assert np.array_equal(features, FEATURES[order])


def test_only_the_exact_place_is_found(cache):
    cache.add(XY[:3], FEATURES[:3])
    asked = np.array([XY[0], np.nextafter(XY[1], np.inf), XY[2][::-1], XY[0]])
    features, present = cache.lookup(asked, dim=8)
    assert present.tolist() == [True, False, False, True]
    assert np.array_equal(features[[0, 3]], FEATURES[[0, 0]])
    assert not features[1:3].any()


def test_an_empty_cache_has_nothing_and_adding_nothing_makes_no_file(cache, tmp_path):
    cache.add(XY[:0], FEATURES[:0])
    assert not cache.lookup(XY, dim=8)[1].any()
    assert _shards(tmp_path) == []
    assert cache.lookup(XY[:0], dim=8)[0].shape == (0, 8)


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_a_damaged_shard_is_removed_and_said(cache, tmp_path, damage, caplog):
    cache.add(XY[:10], FEATURES[:10])
    cache.add(XY[10:20], FEATURES[10:20])
    shard = _shards(tmp_path)[0]
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes({"flip": content, "truncate": content[:50], "empty": b""}[damage])
    with caplog.at_level(logging.WARNING):
        features, present = cache.lookup(XY[:20], dim=8)
    assert present.sum() == 10
    assert np.array_equal(features[present], FEATURES[:20][present])
    assert "damaged" in caplog.text
    assert not shard.exists()


@pytest.mark.parametrize("kind", ["a folder", "a link to itself", "a link to nothing"])
def test_what_is_no_file_is_no_shard(cache, kind, tmp_path):
    cache.add(XY[:10], FEATURES[:10])
    shard = _shards(tmp_path)[0]
    shard.unlink()
    if kind == "a folder":
        shard.mkdir()
    else:
        shard.symlink_to(shard.name if kind == "a link to itself" else "nothing")
    assert not cache.lookup(XY[:10], dim=8)[1].any()
    cache.add(XY[:10], FEATURES[:10])
    assert cache.lookup(XY[:10], dim=8)[1].all()
    assert shard.is_file()
    assert not shard.is_symlink()


def test_a_link_in_a_cache_that_is_only_read_is_passed_over(cache, monkeypatch, tmp_path, caplog):
    cache.add(XY[:10], FEATURES[:10])
    shard = _shards(tmp_path)[0]
    shard.unlink()
    shard.symlink_to(shard.name)

    def refuse(self, *, missing_ok=False):  # the superuser would be let
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr("pathlib.Path.unlink", refuse)
        assert not cache.lookup(XY[:10], dim=8)[1].any()
    assert "cannot be removed" in caplog.text


def test_a_file_of_an_interrupted_write_is_not_read(cache, tmp_path):
    cache.add(XY[:10], FEATURES[:10])
    shard = _shards(tmp_path)[0]
    half = shard.parent / f".{shard.name}.abc"
    half.mkdir()
    (half / shard.name).write_bytes(b"half")
    assert cache.lookup(XY[:10], dim=8)[1].all()
    assert (half / shard.name).exists()


WRITER = """
import sys, numpy as np
from pathlib import Path
from mclstexp.data.features import FeatureCache
cache = FeatureCache(Path(sys.argv[1]), key="ab" * 32)
for i in range(20):
    xy = np.array([[float(i), 0.0], [float(i), float(sys.argv[2])]])
    cache.add(xy, np.column_stack([xy, xy]).astype(np.float32))
assert "torch" not in sys.modules
"""


def test_two_processes_may_write_at_once(cache, tmp_path):
    command = [sys.executable, "-W", "error", "-c", WRITER, str(tmp_path)]
    with started([*command, "1"]) as one, started([*command, "2"]) as two:
        assert (one.wait(), two.wait()) == (0, 0)
    asked = np.array([[float(i), float(j)] for i in range(20) for j in range(3)])
    features, present = cache.lookup(asked, dim=4)
    assert present.all()
    assert np.array_equal(features, np.column_stack([asked, asked]))


def test_the_key_follows_everything_an_embedding_depends_on():
    keys = {
        _key(_tiles()),
        _key(_tiles(shade=1)),
        _key(_tiles(size_px=16)),
        _key(_tiles(mpp=1.0)),
        _key(_tiles(), encoder="other"),
        _key(_tiles(), weights_hash="other"),
        _key(_tiles(), precision="bfloat16"),
    }
    assert len(keys) == 7


def test_the_key_does_not_follow_the_name_of_the_slide():
    assert _key(_tiles()) == _key(_tiles(name="renamed"))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    cache = FeatureCache(tmp_path / "file", key="ab" * 32)
    for attempt in (cache.check_writable, lambda: cache.add(XY[:1], FEATURES[:1])):
        with pytest.raises(InputError, match="can be written to expected"):
            attempt()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_cache_is_read_but_not_written(cache, tmp_path):
    cache.add(XY[:10], FEATURES[:10])
    folder = _shards(tmp_path)[0].parent
    folder.chmod(0o500)
    try:
        assert cache.lookup(XY[:10], dim=8)[1].all()
        with pytest.raises(InputError, match="MCLSTEXP_CACHE"):
            cache.check_writable()
    finally:
        folder.chmod(0o700)


def test_the_folder_is_the_users_choice(monkeypatch, tmp_path):
    monkeypatch.setenv("MCLSTEXP_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("MCLSTEXP_CACHE")
    assert cache_folder().name == "mclstexp"


def test_processes_take_turns(tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom mclstexp.data.features import FeatureCache\n"
        "cache = FeatureCache(Path(sys.argv[1]), key='ab' * 32)\ncache.check_writable()\n"
        "with cache.turn():\n    print(time.monotonic(), flush=True)\n    time.sleep(0.5)\n    print(time.monotonic())"
    )
    command, pipe = [sys.executable, "-c", code, tmp_path], {"stdout": subprocess.PIPE, "text": True}
    with started(command, **pipe) as one, started(command, **pipe) as two:
        (start, stop), (other_start, other_stop) = (map(float, each.communicate()[0].split()) for each in (one, two))
    assert stop <= other_start or other_stop <= start


def test_what_a_dead_process_left_half_written_is_removed_by_the_next(cache, tmp_path):
    left = half_written(tmp_path / "features" / "cd" / "another key" / "shard.safetensors")
    with atomic_path(left.with_name("mine")) as mine:
        cache.check_writable()
        mine.write_bytes(b"whole")  # a living one's is not taken
    assert not left.exists()
