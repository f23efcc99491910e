"""SpaDiT's released networks, and the arithmetic of its diffusion."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from mclstexp.core.errors import InputError
from mclstexp.nn.adaptive_norm import AdaptiveBlock, time_waves
from mclstexp.nn.diffusion import cosine_betas, cosine_kept, posterior
from mclstexp.nn.spadit import DrawnSpaDiT, ReleasedSpaDiT, load_drawn, load_released

BETAS = [0.027907, 0.075494, 0.124396, 0.17719, 0.237282, 0.309883, 0.404003, 0.536998, 0.743829, 0.999]
KEPT = [0.972093, 0.898706, 0.786911, 0.647478, 0.493844, 0.34081, 0.203121, 0.094046, 0.024092, 0.000024]
OF_CLEAN = [1, 0.734819, 0.553418, 0.445877, 0.377217, 0.330356, 0.295971, 0.267143, 0.23374, 0.155064]
OF_NOISED = [0, 0.264904, 0.444811, 0.54831, 0.608252, 0.637874, 0.638617, 0.598518, 0.469853, 0.030862]
VARIANCE = [0, 0.020799, 0.059133, 0.107106, 0.165259, 0.237943, 0.334198, 0.472344, 0.690511, 0.974956]


def near(found, expected, tolerance=1e-4):
    scale = float(np.abs(np.asarray(expected)).max())
    return float(np.abs(np.asarray(found) - np.asarray(expected)).max()) <= tolerance * scale


def test_the_schedule_worked_by_hand():
    assert np.allclose(cosine_betas(4), [0.152988, 0.416958, 0.707859, 0.999], atol=1e-6)
    assert np.allclose(np.cumprod(1 - cosine_betas(4)), [0.847012, 0.493844, 0.144272, 0.000144], atol=1e-6)
    betas = cosine_betas(10)
    assert np.allclose(betas, BETAS, atol=1e-6)
    assert np.allclose(np.cumprod(1 - betas), KEPT, atol=1e-6)
    for found, expected in zip(posterior(betas), (OF_CLEAN, OF_NOISED, VARIANCE), strict=True):
        assert np.allclose(found, expected, atol=1e-6)
    assert cosine_kept(np.array([0.0, 1.0])) == pytest.approx([1, 0], abs=2e-4)


def test_waves_of_a_time():
    waves = time_waves(torch.tensor([0.0, 3.0]), 256)
    assert waves[0].tolist() == [1.0] * 128 + [0.0] * 128
    assert waves[1, [0, 128, 64]].tolist() == pytest.approx([np.cos(3), np.sin(3), np.cos(0.03)], abs=1e-6)


def test_a_new_block_passes_tokens_on_and_a_mask_keeps_them_apart():
    torch.manual_seed(0)
    block = AdaptiveBlock(16, n_heads=2, ratio=2)
    tokens, condition = torch.randn(5, 16), torch.randn(5, 16)
    assert torch.equal(block(tokens, condition), tokens)
    torch.nn.init.normal_(block.modulation.weight)
    alone = torch.eye(5, dtype=torch.bool)
    changed = torch.cat([tokens[:1], torch.randn(4, 16)])
    assert torch.allclose(block(tokens, condition, alone)[0], block(changed, condition, alone)[0], atol=1e-6)
    assert not torch.allclose(block(tokens, condition)[0], block(changed, condition)[0], atol=1e-3)
    batch = torch.stack([tokens, changed])
    both = block(batch, torch.stack([condition, condition]))
    assert torch.allclose(both[1], block(changed, condition), atol=1e-5)


def test_weights_of_another_network_are_refused():
    with pytest.raises(InputError, match="the published SpaDiT expected in here"):
        load_released(ReleasedSpaDiT(4, 5, hidden=3), {"in_layer.0.weight": torch.zeros(3, 4)}, source="here")


@pytest.fixture
def small(parity_dir):
    folder = parity_dir / "spadit_small"
    given, expected = load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors")
    network = ReleasedSpaDiT(30, 40, hidden=16)
    load_released(network, load_file(folder / "state_dict.safetensors"), source="spadit_small")
    return network, given, expected


@pytest.mark.data
def test_what_runs_in_the_release_gives_its_numbers(small):
    network, given, expected = small
    with torch.no_grad():
        assert near(network(given["x_t"], given["sc"]), expected["output"])
    names = ("posterior_coef_x0", "posterior_coef_xt", "variance")
    for found, name in zip(posterior(cosine_betas(10)), names, strict=True):
        assert np.allclose(found, expected[name], atol=1e-6)


@pytest.mark.data
def test_its_training_hides_what_it_should_learn(small):
    network, given, expected = small
    kept = torch.tensor(np.cumprod(1 - cosine_betas(10)), dtype=torch.float32)[given["train_t"]][:, None]

    def noised(values, hidden, also, noise):
        at = (hidden + also) > 0
        values = torch.where(at, 0.0, values)
        return torch.where(hidden > 0, kept.sqrt() * values + (1 - kept).sqrt() * noise, values)

    x = noised(given["st"], given["train_mask_nonzero"], given["train_mask_zero"], given["train_noise_st"])
    s = noised(given["sc"], given["train_sc_mask_nonzero"], given["train_sc_mask_zero"], given["train_noise_sc"])
    assert near(x, expected["train_x_noisy"])
    assert near(s, expected["train_sc_noisy"])
    hidden, zero, noise = given["train_mask_nonzero"], given["train_mask_zero"], given["train_noise_st"]
    with torch.no_grad():
        guess = network(x, s)
        assert near(guess, expected["train_prediction"])
        loss = ((hidden * (noise - guess)) ** 2).mean() + functional.huber_loss(zero * guess, zero * noise)
    assert loss.item() == pytest.approx(expected["train_losses"][0].item(), rel=1e-4)
    assert functional.huber_loss(torch.tensor([0.5, 2.0]), torch.zeros(2)).item() == 0.8125


@pytest.mark.data
def test_its_sampler_returns_the_truth_where_it_is_known(small):
    network, given, expected = small
    steps = posterior(cosine_betas(10))
    x, mask, truth = given["sample_start"], given["sample_mask"], given["st"]
    for i, time in enumerate(range(9, -1, -1)):
        with torch.no_grad():
            x = float(steps.of_clean[time]) * network(x, given["sc"]) + float(steps.of_noised[time]) * x
        x = x + float(np.sqrt(steps.variance[time])) * given["sample_noise"][i] * (time > 0)
        x = mask * x + (1 - mask) * truth
        assert near(x, expected["sample_trajectory"][i], 1e-3)
    assert (x == truth).float().mean() > 0.8, "which is why it is not offered"


@pytest.mark.data
def test_what_is_drawn_gives_the_numbers_of_the_repaired_release(parity_dir):
    folder = parity_dir / "spadit_dit_intended"
    given, expected = load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors")
    network = DrawnSpaDiT(30, 40, hidden=16, depth=2, n_heads=4)
    load_drawn(network, load_file(folder / "state_dict.safetensors"), source="spadit_dit_intended")
    seen = []
    for block in network.blocks:
        block.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    with torch.no_grad():
        output = network(given["st_noisy"], given["sc"], given["t"].float())
    for found, name in zip((*seen, output), ("after_block_0", "after_block_1", "output"), strict=True):
        assert near(found, expected[name]), name
