"""Generators: what they learn from, what they keep, and that they paint what is asked, whoever else asks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import mclstexp.training.loop as loop
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.generation import create_generator, list_generators
from mclstexp.generation.learnt_stage import LearntStage
from mclstexp.generation.painter import Conditioned
from mclstexp.generation.patches import Patches, as_signed
from mclstexp.generation.pictures import pictures_of_tiles, to_bytes
from mclstexp.io.generators import load_generator, save_generator
from mclstexp.nn.feature_context import FeatureContext
from mclstexp.nn.latent_diffusion import noise_kept, noised
from mclstexp.nn.latent_unet import LatentUNet
from small_generators import tiny
from small_methods import small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections(2)


@pytest.fixture(scope="module")
def fitted(sections):
    return tiny().fit(sections[:1])


@pytest.fixture(scope="module")
def features(fitted, sections):
    return fitted.look(sections[1].tiles)


def test_patches_give_pictures_back(sections):
    pictures = pictures_of_tiles(sections[0].tiles, TileSpec(16, 8.0))
    patches = Patches.fit(pictures, n_latent=48)
    maps = patches.encode(as_signed(pictures))
    assert maps.shape == (len(pictures), 48, 4, 4)
    assert np.abs(to_bytes(patches.decode(maps)).astype(int) - pictures).max() <= 1, "all components lose nothing"
    few = Patches.fit(pictures, n_latent=6)
    assert float(few.encode(as_signed(pictures)).square().mean()) == pytest.approx(1, rel=0.05)
    lost = np.abs(to_bytes(few.decode(few.encode(as_signed(pictures)))).astype(int) - pictures).mean()
    assert lost < np.abs(pictures - pictures.mean(axis=(0, 1, 2))).mean() / 2


@pytest.mark.parametrize("name", sorted(list_generators()))
def test_a_saved_generator_paints_the_same(name, sections, tmp_path):
    generator = tiny(name).fit(sections[:1])
    features = generator.look(sections[1].tiles)[:3]
    again = load_generator(save_generator(generator, tmp_path / "g"))
    assert again.provenance_ == generator.provenance_
    assert again.provenance_["patients"] == ["P1"]
    assert np.array_equal(again.generate(features, seed=1), generator.generate(features, seed=1))
    grid = features[[0, 1, 2, 0]].reshape(2, 2, -1)
    assert np.array_equal(again.paint(grid, seed=1), generator.paint(grid, seed=1))


def test_a_picture_depends_on_features_number_and_seed_alone(fitted, features):
    pictures = fitted.generate(features[:5], seed=3)
    assert pictures.shape == (5, 16, 16, 3)
    assert np.array_equal(fitted.generate(features[:2], seed=3), pictures[:2])
    other = features[:5].copy()
    other[1:] = features[5:9]
    assert np.array_equal(fitted.generate(other, seed=3)[0], pictures[0])
    assert not np.array_equal(fitted.generate(features[:5], seed=4), pictures)
    assert fitted.generate(features[:0]).shape == (0, 16, 16, 3)


def test_only_training_tiles_are_learnt_from(sections, fitted, features):
    """Counts are hidden in test_questions.py; here what is held out is white."""
    again = tiny().fit(sections[:1])
    for name, array in fitted.get_state().arrays.items():
        assert np.array_equal(again.get_state().arrays[name], array), name
    both = tiny().fit(sections)
    assert not np.array_equal(both.generate(features[:2]), fitted.generate(features[:2]))


def test_a_fit_that_was_cut_off_ends_at_the_same_numbers(sections, fitted, features, tmp_path, monkeypatch):
    save, done = loop.save_checkpoint, []

    def die(*given, **named):
        save(*given, **named)
        done.append(named["epoch"])
        if len(done) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", die)
    with pytest.raises(KeyboardInterrupt):
        tiny().fit(sections[:1], workdir=tmp_path)
    resumed = tiny().fit(sections[:1], workdir=tmp_path)
    assert done == [1, 2], "the first epoch is not learnt again"
    assert np.array_equal(resumed.generate(features[:2]), fitted.generate(features[:2]))


@pytest.mark.slow
def test_a_learnt_first_stage_is_kept_too(sections, tmp_path):
    options = {"first_stage": "vq", "n_latent": 4, "n_codes": 16, "max_steps": 2}
    generator = tiny(**options).fit(sections[:1], workdir=tmp_path / "work")
    assert isinstance(generator._stage, LearntStage)
    features = generator.look(sections[1].tiles)[:2]
    again = load_generator(save_generator(generator, tmp_path / "g"))
    assert np.array_equal(again.generate(features), generator.generate(features))
    with torch.no_grad():
        maps = generator._stage.encode(as_signed(pictures_of_tiles(sections[0].tiles, generator.made_)))
    assert float(maps.std()) == pytest.approx(1, rel=0.05)
    again = tiny(**options).fit(sections[:1], workdir=tmp_path / "work")
    assert np.array_equal(again.generate(features), generator.generate(features)), "from both checkpoints"


@pytest.mark.slow
def test_the_full_preset_has_the_papers_shapes():
    """It was never run on a GPU."""
    full = create_generator(preset="full")
    with torch.device("meta"):
        network = full._network(768)
        stage = full._sizes().make()
        maps = stage.encode(torch.zeros(1, 3, full.side_px, full.side_px))
        noise = network(maps, torch.zeros(1), torch.zeros(1, 769))
    assert maps.shape == noise.shape == (1, 3, 64, 64)
    assert isinstance(network.unet, LatentUNet)
    assert sum(p.numel() for p in network.unet.parameters()) == 400_920_579


def test_what_is_painted_without_end_goes_on_at_its_edges(fitted, features):
    grid = np.repeat(features[:1], 4, axis=0).reshape(2, 2, -1)
    picture = fitted.paint(grid, seed=0, endless=True).astype(float)
    assert picture.shape == (32, 32, 3)
    inside = np.abs(np.diff(picture, axis=1)).mean()
    assert np.abs(picture[:, 0] - picture[:, -1]).mean() < 2.5 * inside


def test_what_cannot_be_used_is_said(sections, fitted, features):
    with pytest.raises(InputError, match=r"finite features \(n, \d+\) expected, found shape \(2, 3\)"):
        fitted.generate(np.zeros((2, 3)))
    with pytest.raises(InputError, match="numbers that are not finite"):
        fitted.generate(np.full_like(features[:1], np.nan))
    with pytest.raises(InputError, match="a grid of features"):
        fitted.paint(features)
    with pytest.raises(InputError, match="tiles must be read with 32 px"):
        fitted.look(sections[0].tiles.with_spec(TileSpec(16, 4.0)))
    with pytest.raises(InputError, match="must be fitted before it paints"):
        tiny().generate(features)
    other = replace(sections[1], tiles=sections[1].tiles.with_spec(TileSpec(64, 2.0)))
    with pytest.raises(InputError, match="one tile spec"):
        tiny().fit([sections[0], other])
    with pytest.raises(InputError, match="side_px of a multiple of 8 expected, found 20"):
        tiny(side_px=20, mults=(1, 1))
    with pytest.raises(InputError, match="width of a multiple of 32 expected, found 20"):
        tiny(width=20)
    with pytest.raises(InputError, match="did you mean 'diffusion'"):
        create_generator("difusion")


def test_velocity_and_noise_say_the_same_in_two_ways():
    """A U-Net that says v of a picture and one that says the noise end at the same noise."""
    clean, noise, time = torch.randn(3, 6, 4, 4), torch.randn(3, 6, 4, 4), torch.tensor([1, 500, 981])
    kept = torch.tensor(noise_kept(), dtype=torch.float32)[time].view(-1, 1, 1, 1)
    unet = LatentUNet(6, width=32, mults=(1,), n_blocks=1, attention_at=(), context_dim=4)
    unet.forward = lambda *_: kept.sqrt() * noise - (1 - kept).sqrt() * clean
    network = Conditioned(unet, FeatureContext(2, 4), velocity=True)
    found = network(noised(clean, noise, time), time, torch.ones(3, 2))
    assert torch.allclose(found, noise, atol=1e-5)
