"""Latent diffusion: schedule and steps worked by hand, and the release's numbers."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mclstexp.nn import first_stage, latent_unet
from mclstexp.nn.adaptive_norm import time_waves
from mclstexp.nn.feature_context import FeatureContext
from mclstexp.nn.first_stage import FirstStage
from mclstexp.nn.latent_diffusion import (
    clean_guess,
    ddim_step,
    guided,
    noise_betas,
    noise_kept,
    noised,
    sample,
    stops,
)
from mclstexp.nn.latent_unet import LatentUNet
from mclstexp.nn.map_attention import CrossAttention


def test_the_schedule_worked_by_hand():
    betas, kept = noise_betas(), noise_kept()
    assert betas[[0, 499, 999]] == pytest.approx([0.0015, 0.00794516, 0.0195], abs=1e-8)
    expected = [0.9985, 0.99699443, 0.51051430, 0.11584449, 0.00844483, 0.00014230]
    assert kept[[0, 1, 249, 499, 749, 999]] == pytest.approx(expected, abs=1e-8)


def test_stops_are_times_that_were_taught_and_end_early():
    assert stops(50).tolist() == list(range(981, 0, -20))
    assert [len(stops(n)) for n in (1, 3, 7, 999)] == [1, 3, 7, 999]
    assert all(stops(n).max() < 1000 and stops(n).min() == 1 for n in (2, 7, 50, 333, 999))
    with pytest.raises(ValueError, match="1 to 999 steps expected, found 0"):
        stops(0)


def test_a_step_worked_by_hand():
    kept, kept_next = noise_kept()[999], noise_kept()[979]
    values, noise = torch.ones(1, dtype=torch.float64), torch.full((1,), 0.5, dtype=torch.float64)
    assert float(clean_guess(values, noise, kept)) == pytest.approx(41.917212, rel=1e-6)
    found = ddim_step(values, noise, kept=kept, kept_next=kept_next)
    assert float(found) == pytest.approx(1.107164, abs=1e-6)
    zero = torch.zeros(1, dtype=torch.float64)
    fresh = torch.ones(1, dtype=torch.float64)
    sd = ddim_step(zero, zero, kept=kept, kept_next=kept_next, eta=1.0, fresh=fresh)
    assert float(sd) ** 2 == pytest.approx(0.3218, abs=1e-4), "what the whole stride asks for, not one time's 0.0195"


def test_who_knows_the_picture_ends_at_it():
    kept = torch.tensor(noise_kept())
    picture = torch.randn(2, 3, 4, 4, dtype=torch.float64)

    def knowing(values, time):
        share = kept[time][:, None, None, None]
        return (values - share.sqrt() * picture) / (1 - share).sqrt()

    start = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    for n_steps in (1, 10, 50):
        found = sample(knowing, start, n_steps=n_steps)
        first = int(stops(n_steps)[0])
        noise = (start - kept[first].sqrt() * picture) / (1 - kept[first]).sqrt()
        left = kept[0].sqrt() * picture + (1 - kept[0]).sqrt() * noise
        assert torch.allclose(found, left, atol=1e-9)


def test_guidance_of_one_never_asks_what_nothing_looks_like():
    def noise_of(values, time, context):
        assert not torch.isnan(context).any()
        return values + context.mean()

    values, context = torch.randn(2, 3, 4, 4), torch.ones(2, 1, 5)
    nowhere = torch.full((1, 1, 5), torch.nan)
    found = guided(noise_of, context, nowhere, guidance=1.0)(values, torch.tensor([3, 3]))
    assert torch.equal(found, values + 1)
    twice = guided(noise_of, context, torch.zeros(1, 1, 5), guidance=2.0)(values, torch.tensor([3, 3]))
    assert torch.allclose(twice, values + 2)


def test_attention_over_two_rows_of_context_worked_by_hand():
    attention = CrossAttention(2, 2)
    with torch.no_grad():
        for layer in (attention.query, attention.key, attention.value, attention.out):
            layer.weight.copy_(torch.eye(2))
        attention.out.bias.zero_()
    context = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    found = attention(torch.tensor([[[2.0, 0.0], [0.0, 0.0]]]), context)
    share = np.exp(2 / np.sqrt(2)) / (np.exp(2 / np.sqrt(2)) + 1)
    assert found[0, 0].tolist() == pytest.approx([share, 1 - share], abs=1e-6)
    assert found[0, 1].tolist() == pytest.approx([0.5, 0.5], abs=1e-6)


def test_features_are_taken_at_length_one_and_nothing_is_a_token_of_its_own():
    context = FeatureContext((3, 2), 4)
    tile, region = torch.randn(5, 3), torch.randn(5, 2)
    found = context(tile, region)
    assert found.shape == (5, 2, 4)
    assert torch.allclose(context(7 * tile, region), found, atol=1e-6)
    nothing = context(torch.zeros(1, 3), torch.zeros(1, 2))
    assert torch.equal(nothing[0], torch.stack([layer.bias for layer in context.maps]))


def test_the_published_sizes():
    with torch.device("meta"):
        unet = LatentUNet(3)
        stage = FirstStage()
    assert sum(p.numel() for p in unet.parameters()) == 400_920_579
    n_beside_codes = 2 * (3 * 3 + 3)
    assert sum(p.numel() for p in stage.parameters()) == 55_298_182 + n_beside_codes


@pytest.fixture(scope="module")
def released(parity_dir):
    folder = parity_dir / "lid_small"
    unet = LatentUNet(3, width=32, mults=(1, 2), n_blocks=1, attention_at=(2,), context_dim=16)
    latent_unet.load_released(unet, load_file(folder / "unet_state_dict.safetensors"), source="lid_small")
    context = FeatureContext(8, 16)
    weights = load_file(folder / "embedder_state_dict.safetensors")
    context.load_state_dict({f"maps.0.{name.rpartition('.')[2]}": t.float() for name, t in weights.items()})
    return unet, context, load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors")


@pytest.mark.data
def test_schedule_and_network_are_the_released_ones(released):
    unet, context, given, expected = released
    assert torch.allclose(torch.tensor(noise_betas()), expected["betas"], atol=1e-12)
    assert torch.allclose(torch.tensor(noise_kept()), expected["alphas_cumprod"], atol=1e-10)
    assert torch.allclose(time_waves(given["temb_t"], 32), expected["temb"], atol=1e-5)
    assert sorted(stops(50).tolist()) == given["ddim50"].tolist()
    assert torch.allclose(noised(given["x0"], given["noise"], given["t_loss"]), expected["x_noisy"], atol=1e-5)
    with torch.no_grad():
        tokens = context(given["embeddings"])
        assert torch.allclose(tokens, expected["context"], atol=1e-5)
        assert torch.allclose(unet(given["x"], given["t"], tokens[:2]), expected["eps"], rtol=1e-4, atol=1e-4)


@pytest.mark.data
def test_loss_and_gradients_are_the_released_ones(released):
    unet, context, given, expected = released
    values = noised(given["x0"], given["noise"], given["t_loss"])
    found = unet(values, given["t_loss"], context(given["embeddings"]))
    each = ((found - given["noise"]) ** 2).mean(dim=(1, 2, 3))
    assert torch.allclose(each, expected["loss_per_sample"], rtol=1e-4)
    grads = torch.autograd.grad(each.mean(), [unet.last[2].weight, context.maps[0].weight])
    assert torch.allclose(grads[0], expected["grad_out_conv"], rtol=1e-3, atol=1e-5)
    assert torch.allclose(grads[1], expected["grad_patch_fc"], rtol=1e-3, atol=1e-6)


def released_stage(parity_dir):
    stage = FirstStage(width=32, mults=(1, 1, 2), n_blocks=1, n_codes=64)
    weights = load_file(parity_dir / "lid_vq_small" / "state_dict.safetensors")
    first_stage.load_released(stage, weights, source="lid_vq_small")
    return stage.eval()


@pytest.mark.data
def test_the_first_stage_is_the_released_one(parity_dir):
    folder = parity_dir / "lid_vq_small"
    given, expected = load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors")
    stage = released_stage(parity_dir)
    with torch.no_grad():
        latent = stage.encode(given["image"])
        assert torch.allclose(latent, expected["latent"], rtol=1e-4, atol=1e-4)
        assert torch.equal(stage.codes(expected["latent"]), expected["codes"])
        assert torch.allclose(stage.decode(expected["latent"]), expected["reconstruction"], rtol=1e-4, atol=1e-4)
