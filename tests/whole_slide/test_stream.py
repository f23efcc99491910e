"""A slide in blocks: the numbers of one call, flat memory, no loss when killed, damaged tiles marked."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide, Tiles
from mclstexp.methods import create
from mclstexp.sight import embed
from mclstexp.whole_slide import stream as module
from mclstexp.whole_slide.blocks import cut
from mclstexp.whole_slide.stream import stream
from small_methods import small_methods, small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections()


@pytest.fixture(scope="module")
def grid(sections):
    tiles = sections[-1].tiles
    return Tiles.grid(tiles.slide, spec=tiles.spec, stride_um=tiles.spec.size_um)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_TILES", {"cpu": 6, "cuda": 6})


FIRST = {method.name: method for method in reversed(small_methods())}


def fitted(name, sections, **options):
    return create(name, **{**FIRST[name].options, **options}).fit(sections[:-1])


class Damaged(Slide):
    """A slide that cannot be decoded left of a column."""

    def __init__(self, slide, *, until_px):
        self.id, self.mpp, self.size_px, self._slide, self._until = slide.id, slide.mpp, slide.size_px, slide, until_px

    def read(self, xy, spec):
        if xy[0] < self._until:
            msg = "the JPEG is broken"
            raise InputError(msg)
        return self._slide.read(xy, spec)

    def thumbnail(self, max_size_px):
        return self._slide.thumbnail(max_size_px)

    def fingerprint(self):
        return f"{self._slide.fingerprint()} damaged {self._until}"


_SLOW = ("deepspot", "mclstexp", "st_net", "triplex")  # they look at parts, windows and views of every tile


@pytest.mark.parametrize(
    "method",
    [pytest.param(method, marks=[pytest.mark.slow] * (name in _SLOW), id=name) for name, method in FIRST.items()],
)
def test_blocks_say_what_one_call_says(method, sections, grid, tmp_path):
    model = create(method.name, **method.options).fit(sections[:-1])
    whole = model.predict(grid)
    streamed = stream(model, grid, folder=tmp_path / "run")
    assert_allclose(np.concatenate(list(streamed.store.expression(n_rows=7))), whole.X, atol=1e-5)
    distance = model.reference_distance(grid)
    assert (distance is None) == (streamed.reference_distance is None)
    if distance is not None:
        assert_allclose(streamed.reference_distance, distance, atol=1e-5)
    assert not streamed.unreadable.any()


def test_each_place_is_embedded_once_for_all_blocks(sections, grid, tmp_path, monkeypatch):
    model = fitted("pls", sections, context_radii_um=(200.0,))
    asked = []
    real = embed._embed
    monkeypatch.setattr(embed, "_embed", lambda tiles, *a, **k: asked.append(len(tiles)) or real(tiles, *a, **k))
    stream(model, grid, folder=tmp_path / "run")
    assert len(asked) >= 3
    assert sum(asked) == len(grid)


def test_blocks_cover_each_tile_once_and_rims_hold_the_context(grid):
    blocks = cut(grid, n_tiles=6, context_um=150.0)
    assert_array_equal(np.sort(np.concatenate([block.rows for block in blocks])), np.arange(len(grid)))
    for block in blocks:
        apart = np.linalg.norm(grid.xy_um[:, None] - grid.xy_um[block.rows], axis=2).min(axis=1)
        expected = np.setdiff1d(np.flatnonzero(apart <= 150.0 + 1e-6), block.rows)
        assert_array_equal(block.rim, expected)


def test_too_many_tiles_for_a_whole_slide_method_are_refused(grid, monkeypatch):
    monkeypatch.setattr("mclstexp.whole_slide.blocks.WHOLE_SLIDE_TILES", 10)
    with pytest.raises(InputError, match="at most 10 tiles expected by a method that looks at the whole slide"):
        cut(grid, n_tiles=6, context_um=np.inf)


@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_ends_alike(sections, grid, tmp_path):
    model = fitted("mclstexp", sections)
    expected = stream(model, grid, folder=tmp_path / "whole")

    def stop(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream(model, grid, folder=tmp_path / "run", on_progress=stop)
    again = stream(model, grid, folder=tmp_path / "run")
    assert len(grid) / 2 < again.n_resumed < len(grid)
    assert_array_equal(
        np.concatenate(list(again.store.expression())), np.concatenate(list(expected.store.expression()))
    )
    assert_array_equal(again.reference_distance, expected.reference_distance)


def test_a_damaged_block_or_another_model_is_computed_again(sections, grid, tmp_path):
    model = fitted("ridge", sections)
    stream(model, grid, folder=tmp_path / "run")
    next(iter(sorted((tmp_path / "run").glob("block_*")))).write_bytes(b"cut short")
    assert 0 < stream(model, grid, folder=tmp_path / "run").n_resumed < len(grid)
    other = fitted("ridge", sections, alpha=3.0)
    assert stream(other, grid, folder=tmp_path / "run").n_resumed == 0


def test_a_flipped_byte_anywhere_is_computed_again(sections, grid, tmp_path):
    model = fitted("ridge", sections)
    folder = tmp_path / "run"
    expected = stream(model, grid, folder=folder)
    numbers, rng = expected.store.matrix(), np.random.default_rng(0)
    files = sorted(folder.iterdir())
    for path in [*files, *files]:
        content = bytearray(path.read_bytes())
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        again = stream(model, grid, folder=folder)
        assert len(grid) - 6 <= again.n_resumed < len(grid), path.name
        assert_array_equal(again.store.matrix(), numbers)
        assert_array_equal(again.unreadable, expected.unreadable)


def test_damaged_tiles_are_marked_and_not_fatal(sections, grid, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_UNREADABLE", 0.2)
    model = fitted("mclstexp", sections)
    slide = Damaged(grid.slide, until_px=np.unique(grid.xy[:, 0])[1])
    streamed = stream(model, replace(grid, slide=slide), folder=tmp_path / "run")
    bad = grid.xy[:, 0] < np.unique(grid.xy[:, 0])[1]
    assert_array_equal(streamed.unreadable, bad)
    expression = np.concatenate(list(streamed.store.expression()))
    assert np.isnan(expression[bad]).all()
    assert np.isfinite(expression[~bad]).all()
    assert "JPEG is broken" in streamed.reason


def test_too_many_damaged_tiles_are_the_slides_fault(sections, grid, tmp_path):
    model = fitted("ridge", sections)
    slide = Damaged(grid.slide, until_px=grid.slide.size_px[0] / 2)
    with pytest.raises(InputError, match=r"at least 99% readable tiles expected, found \d+ of .*JPEG is broken.*copy"):
        stream(model, replace(grid, slide=slide), folder=tmp_path / "run")


def test_a_full_disk_is_one_sentence(sections, grid, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(InputError, match=r"room for .* MB expected .*No space left on device.*goes on from there"):
        stream(fitted("mean", sections), grid, folder=tmp_path / "run")
    assert list(tmp_path.rglob("*")) == [tmp_path / "run"]


def test_what_another_precision_began_is_not_gone_on_with(sections, grid, tmp_path, monkeypatch):
    model = fitted("knn", sections)
    assert stream(model, grid, folder=tmp_path / "run").n_resumed == 0
    assert stream(model, grid, folder=tmp_path / "run").n_resumed == len(grid)
    monkeypatch.setenv(embed.PRECISION, "bfloat16")
    with pytest.warns(UserWarning, match="fitted on features in float32, these are in bfloat16"):
        assert stream(model, grid, folder=tmp_path / "run").n_resumed == 0


@pytest.mark.parametrize("target", ["expression.f32", "nothing", "../a_file_of_ones_own"])
def test_a_link_in_place_of_the_expression_is_not_followed(sections, grid, tmp_path, target):
    model = fitted("ridge", sections)
    expected = np.concatenate(list(stream(model, grid, folder=tmp_path / "run").store.expression()))
    matrix = tmp_path / "run" / "expression.f32"
    (tmp_path / "a_file_of_ones_own").write_bytes(bytes(matrix.stat().st_size))
    matrix.unlink()
    matrix.symlink_to(target)
    again = stream(model, grid, folder=tmp_path / "run")
    assert_array_equal(np.concatenate(list(again.store.expression())), expected)
    assert not matrix.is_symlink()
    assert not any((tmp_path / "a_file_of_ones_own").read_bytes())
    assert not (tmp_path / "run" / "nothing").exists()
