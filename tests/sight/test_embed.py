"""Embeddings follow their tiles: whatever else is asked, wherever the work was cut off."""

import numpy as np
import pytest
import torch

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.io.slides import ArraySlide
from mclstexp.nn.image_encoders import create_encoder
from mclstexp.sight import embed
from mclstexp.sight.embed import embed_tiles

TINY = "random:test_efficientnet"
PIXELS = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)


class _Watched(Slide):
    """Counts reads; reading tile number `broken_at` fails."""

    def __init__(self, broken_at=None):
        self._inner = ArraySlide(PIXELS, mpp=0.5, id="noise")
        self.id, self.mpp, self.size_px = "noise", 0.5, self._inner.size_px
        self.read_xy, self.broken_at = [], broken_at

    def read(self, xy, spec):
        self.read_xy.append(tuple(xy))
        if self.broken_at is not None and tuple(xy) == tuple(self.broken_at):
            raise OSError("the disk is gone")
        return self._inner.read(xy, spec)

    def thumbnail(self, max_size_px):
        return self._inner.thumbnail(max_size_px)

    def fingerprint(self):
        return self._inner.fingerprint()


def _tiles(slide=None):
    return Tiles.grid(slide or _Watched(), spec=TileSpec(32, 0.5))


@pytest.fixture(scope="module")
def encoder():
    return create_encoder(TINY)


@pytest.mark.parametrize("precision", ["float32", pytest.param("bfloat16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [TINY, "random:test_convnext"])
def test_an_embedding_does_not_depend_on_what_else_is_asked(name, precision):
    encoder, tiles = create_encoder(name), _tiles()
    whole = embed_tiles(tiles, encoder, precision=precision, batch_size=16)
    for some in ([7], [99, 3, 50], np.arange(17)):
        assert np.array_equal(embed_tiles(tiles.take(some), encoder, precision=precision, batch_size=16), whole[some])


def test_embeddings_are_the_encoders_own(encoder):
    tiles = _tiles().take([0, 5, 9])
    images = torch.from_numpy(np.stack([tiles.read(i) for i in range(3)])).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = encoder(images).numpy()
    np.testing.assert_allclose(embed_tiles(tiles, encoder, precision="float32"), expected, rtol=1e-4, atol=1e-5)
    low = embed_tiles(tiles, encoder, precision="bfloat16")
    assert 0 < np.linalg.norm(low - expected) / np.linalg.norm(expected) < 0.05


def test_the_second_time_nothing_is_read(tmp_path):
    slide = _Watched()
    first = embed_tiles(_tiles(slide), TINY, cache_dir=tmp_path)
    assert len(slide.read_xy) == 100
    again = embed_tiles(_tiles(slide), TINY, cache_dir=tmp_path)
    some = embed_tiles(_tiles(slide).take([3, 80]), TINY, cache_dir=tmp_path)
    assert len(slide.read_xy) == 100
    assert np.array_equal(first, again)
    assert np.array_equal(first[[3, 80]], some)


def test_only_what_is_missing_is_computed(tmp_path):
    slide = _Watched()
    tiles = _tiles(slide)
    embed_tiles(tiles.take([3, 80]), TINY, cache_dir=tmp_path)
    slide.read_xy.clear()
    found = embed_tiles(tiles, TINY, cache_dir=tmp_path)
    assert len(slide.read_xy) == 98
    assert np.array_equal(found, embed_tiles(tiles, create_encoder(TINY)))


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    broken = _Watched(broken_at=_tiles().xy[60])
    with pytest.raises(OSError, match="the disk is gone"):
        embed_tiles(_tiles(broken), TINY, cache_dir=tmp_path, batch_size=16)
    whole = _Watched()
    resumed = embed_tiles(_tiles(whole), TINY, cache_dir=tmp_path, batch_size=16)
    assert len(whole.read_xy) == 100 - 48  # three whole batches were kept
    assert np.array_equal(resumed, embed_tiles(_tiles(), create_encoder(TINY), batch_size=16))


def test_a_killed_run_keeps_its_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(embed, "SHARD_TILES", 32)
    adding = embed.FeatureCache.add
    n_added = []

    def add(cache, xy, features):
        if n_added:
            raise SystemError("killed")  # nothing after the first shard reaches the disk
        n_added.append(len(xy))
        adding(cache, xy, features)

    monkeypatch.setattr(embed.FeatureCache, "add", add)
    with pytest.raises(SystemError):
        embed_tiles(_tiles(), TINY, cache_dir=tmp_path, batch_size=16)
    monkeypatch.setattr(embed.FeatureCache, "add", adding)
    slide = _Watched()
    embed_tiles(_tiles(slide), TINY, cache_dir=tmp_path, batch_size=16)
    assert n_added == [32]
    assert len(slide.read_xy) == 68


def test_a_damaged_cache_is_computed_again(tmp_path):
    first = embed_tiles(_tiles(), TINY, cache_dir=tmp_path)
    (shard,) = tmp_path.rglob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:-1])
    slide = _Watched()
    assert np.array_equal(embed_tiles(_tiles(slide), TINY, cache_dir=tmp_path), first)
    assert len(slide.read_xy) == 100


def test_an_encoder_object_is_cached_by_its_weights_only_when_asked(tmp_path, encoder):
    tuned = create_encoder(TINY)
    with torch.no_grad():
        tuned.network.conv_stem.weight.mul_(-1)
    first = embed_tiles(_tiles(), encoder, cache_dir=tmp_path)
    assert not np.allclose(embed_tiles(_tiles(), tuned, cache_dir=tmp_path), first)
    slide = _Watched()
    assert np.array_equal(embed_tiles(_tiles(slide), TINY, cache_dir=tmp_path), first)
    assert slide.read_xy == []
    embed_tiles(_tiles(slide), encoder)
    assert len(slide.read_xy) == 100


def test_a_callers_encoder_is_left_as_it_was():
    mine = create_encoder(TINY).train()
    before = mine.weights_hash
    strides = mine.network.conv_stem.weight.stride()
    embed_tiles(_tiles().take([0]), mine)
    assert mine.training
    assert mine.weights_hash == before
    assert mine.network.conv_stem.weight.stride() == strides


def test_few_tiles_are_read_ahead(encoder):
    slide = _Watched()
    batches = embed._read_ahead(_tiles(slide), 10)
    next(batches)
    assert len(slide.read_xy) <= 30
    batches.close()
    assert len(slide.read_xy) <= 30


def test_no_tiles_are_no_embeddings(encoder):
    assert embed_tiles(_tiles().take(np.zeros(0, int)), encoder).shape == (0, encoder.dim)


def test_wrong_sizes_and_precisions_are_refused(encoder):
    with pytest.raises(InputError, match="tiles of 224 px expected"):
        embed_tiles(_tiles(), create_encoder("random:vit_tiny_patch16_224"))
    with pytest.raises(InputError, match=r"precision \(MCLSTEXP_PRECISION\) must be"):
        embed_tiles(_tiles(), encoder, precision="half")


def test_progress_goes_to_standard_error(encoder, capsys):
    embed_tiles(_tiles().take([0]), encoder, progress=True)
    assert capsys.readouterr().out == ""


@pytest.mark.gpu
def test_the_gpu_agrees_with_the_processor(tmp_path):
    ours = embed_tiles(_tiles(), TINY, precision="float32", cache_dir=tmp_path)
    assert embed._named(TINY)[0].mean.is_cuda
    np.testing.assert_allclose(ours, embed_tiles(_tiles(), create_encoder(TINY), precision="float32"), atol=1e-3)


def test_a_log_hears_how_far_it_is(encoder, capsys, monkeypatch):
    monkeypatch.setattr("mclstexp.core.progress.SILENT_S", 0.0)
    tiles = _tiles().take(np.arange(20))
    embed_tiles(tiles, encoder, batch_size=16)
    said = [line.partition(", ")[0] for line in capsys.readouterr().err.splitlines()]
    assert said == [f"embedding {tiles.slide.id}: tile {done} of 20" for done in (16, 20)]
    embed_tiles(tiles, encoder, batch_size=16, progress=False)
    assert capsys.readouterr().err == ""
