"""Change anything that a result depends on and nothing old is used; change nothing and nothing is done twice."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import save_file

import mclstexp.training.loop as loop
from mclstexp.core import identity
from mclstexp.core.code import source_hash
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.method import described
from mclstexp.io.slides import ArraySlide
from mclstexp.methods import create
from mclstexp.nn.image_encoders import create_encoder
from mclstexp.sight import embed
from small_methods import ENCODER, SPEC, small_sections

OPTIONS = {"encoder": ENCODER, "epochs": 2, "n_components": 4, "dim": 4, "batch_size": 16, "k": 2, "dropout": 0.1}
GENES = tuple(small_sections(1)[0].genes[:6])
SPACE = ExpressionSpace(GENES)


@pytest.fixture(scope="module")
def sections():
    return small_sections(2)


def _retiled(section, **changes):
    tiles = replace(section.tiles, **changes)
    counts = section.counts.copy()
    counts.obs_names = tiles.ids
    return replace(section, tiles=tiles, counts=counts)


def _slide(section, *, pixels=lambda array: array, mpp=1.0, origin=None):
    slide = section.tiles.slide
    kind = ArraySlide if origin is None else type("Scanned", (ArraySlide,), {"bounds_px": (*origin, 40, 40)})
    changed = kind(pixels(slide._array), mpp=slide.mpp * mpp, id=slide.id)
    return _retiled(section, slide=changed)


def _counted(section):
    counts = section.counts.copy()
    counts.X[0, 0] += 1
    return replace(section, counts=counts)


def _renamed_genes(section):
    counts = section.counts.copy()
    counts.var_names = [*section.genes[:-1], "OTHER"]
    return replace(section, counts=counts)


SECTIONS = {
    "pixels": lambda s: _slide(s, pixels=lambda array: 255 - array),
    "µm per pixel of the slide": lambda s: _slide(s, mpp=1.1),
    "origin of the slide": lambda s: _slide(s, origin=(10, 20)),
    "places": lambda s: _retiled(s, xy=s.tiles.xy + 0.25),
    "array": lambda s: _retiled(s, array_xy=s.tiles.array_xy + 1),
    "no array": lambda s: _retiled(s, array_xy=None),
    "names of spots": lambda s: _retiled(s, ids=np.char.add(s.tiles.ids, "-1")),
    "size of tiles": lambda s: s.with_spec(replace(SPEC, size_px=48)),
    "scale of tiles": lambda s: s.with_spec(replace(SPEC, mpp=5.0)),
    "counts": _counted,
    "genes": _renamed_genes,
    "patient": lambda s: replace(s, patient="somebody else"),
    "name": lambda s: replace(s, id="other"),
    "fewer spots": lambda s: s.take(np.arange(len(s) - 1)),
}
METHODS = {
    "encoder": {"encoder": "random:test_efficientnet_ln"},
    "dropout": {"dropout": 0.2},
    "epochs": {"epochs": 3},
    "training precision or device": {"device": "cpu", "seed": 0, "train_encoder": True},
    "seed": {"seed": 1},
    "retrieval": {"k": 3},
}
SPACES = {
    "panel": replace(SPACE, genes=GENES[:5]),
    "order of the panel": replace(SPACE, genes=GENES[::-1]),
    "target sum": replace(SPACE, target_sum=1e3),
    "logarithm": replace(SPACE, log_base=2.0),
    "axis": replace(SPACE, axis="gene"),
}


def _key(sections, *, space=SPACE, name="bleep", **options):
    about = described(create(name, **(options or OPTIONS)))
    return identity.of_fit({**about, "source": source_hash()}, space=space, sections=sections)


@pytest.mark.parametrize("change", SECTIONS.values(), ids=SECTIONS)
def test_a_fit_is_another_when_its_data_change(sections, change):
    assert _key([sections[0], change(sections[1])]) != _key(sections)


@pytest.mark.parametrize("options", METHODS.values(), ids=METHODS)
def test_a_fit_is_another_when_its_options_change(sections, options):
    assert _key(sections, **OPTIONS | options) != _key(sections)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_fit_is_another_when_panel_or_scale_change(sections, space):
    assert _key(sections, space=space) != _key(sections)


def test_a_fit_is_another_by_order_method_precision_weights_format_and_code(sections, tmp_path, monkeypatch):
    key, features = _key(sections), _features_key(sections[0])
    assert key == _key(small_sections(2)), "made anew it is the same"
    assert _key(sections[::-1]) != key
    assert _key(sections, name="knn", encoder=ENCODER) != _key(sections, name="ridge", encoder=ENCODER)
    with monkeypatch.context() as patch:
        patch.setenv(embed.PRECISION, "bfloat16")
        assert _key(sections) != key
        assert _features_key(sections[0]) != features
    with monkeypatch.context() as patch:
        patch.setattr(identity, "FORMAT", identity.FORMAT + 1)
        assert _key(sections) != key
        assert _features_key(sections[0]) != features
    with monkeypatch.context() as patch:
        patch.setattr("mclstexp.core.method.class_hash", lambda cls: "edited")
        assert _key(sections) != key
    keys = set()
    for seed in (0, 1):  # other weights in the very same file
        network = create_encoder(ENCODER).network
        network.conv_stem.weight.data += seed
        save_file(network.state_dict(), tmp_path / "w.safetensors")
        embed._named.cache_clear()
        keys.add(_key(sections, **OPTIONS | {"encoder": f"test_efficientnet@{tmp_path}/w.safetensors"}))
    assert len(keys) == 2


def _features_key(section):
    return identity.of_features(section.tiles.slide, section.tiles.spec, sight=embed.frozen_encoder(ENCODER))


@pytest.mark.parametrize("name", SECTIONS)
def test_features_are_others_by_pixels_and_scale_alone(sections, name):
    moves = name in ("pixels", "µm per pixel of the slide", "origin of the slide", "size of tiles", "scale of tiles")
    assert (_features_key(SECTIONS[name](sections[0])) != _features_key(sections[0])) == moves


@pytest.fixture
def work(monkeypatch):
    """Count embedded tiles and epochs."""
    done = {"tiles": 0, "epochs": 0}
    compute, save = embed._compute, loop.save_checkpoint

    def computing(tiles, *given, **named):
        done["tiles"] += len(tiles)
        return compute(tiles, *given, **named)

    def saving(*given, **named):
        done["epochs"] += 1
        return save(*given, **named)

    monkeypatch.setattr(embed, "_compute", computing)
    monkeypatch.setattr(loop, "save_checkpoint", saving)
    return done


def test_nothing_is_embedded_or_fitted_twice_and_a_corrected_scale_is_seen(sections, work, tmp_path, monkeypatch):
    monkeypatch.setenv("MCLSTEXP_CACHE", str(tmp_path / "cache"))
    workdir = tmp_path / "work"

    def run(train, test, **changed):
        model = create("bleep", **OPTIONS | changed).fit([train], space=SPACE, workdir=workdir)
        return model.predict(test.tiles).X

    first = run(*sections)
    n_tiles = len(sections[0]) + len(sections[1])
    assert work == {"tiles": n_tiles, "epochs": 2}
    assert np.array_equal(run(*small_sections(2)), first)
    assert work == {"tiles": n_tiles, "epochs": 2}, "again: nothing"
    run(*sections, dropout=0.2)
    assert work == {"tiles": n_tiles, "epochs": 4}, "another option: the same features, another fit"
    corrected = _slide(sections[0], mpp=1.5)
    moved = run(corrected, sections[1])
    assert work == {"tiles": n_tiles + len(sections[0]), "epochs": 6}, "another scale: other features, another fit"
    assert np.array_equal(run(*sections), first)
    assert work["epochs"] == 6, "back again: nothing"
    fresh = create("bleep", **OPTIONS).fit([corrected], space=SPACE).predict(sections[1].tiles).X
    assert np.array_equal(moved, fresh)
    assert not np.array_equal(moved, first)


@pytest.mark.parametrize("changed", ["counts", "genes", "encoder", "dropout"])
def test_a_working_folder_never_gives_the_first_datas_weights(sections, tmp_path, changed):
    train, space, options = sections[0], SPACE, dict(OPTIONS)
    create("bleep", **options).fit([train], space=space, workdir=tmp_path)
    if changed == "counts":
        train = _counted(train)
    if changed == "genes":
        space = replace(space, genes=GENES[::-1])
    options |= {"encoder": {"encoder": "random:test_efficientnet_ln"}, "dropout": {"dropout": 0.4}}.get(changed, {})
    found = create("bleep", **options).fit([train], space=space, workdir=tmp_path).predict(sections[1].tiles).X
    fresh = create("bleep", **options).fit([train], space=space).predict(sections[1].tiles).X
    assert np.array_equal(found, fresh)
