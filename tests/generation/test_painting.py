"""Large pictures: what windows are told, how they agree, and the release's numbers with and without its faults."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mclstexp.core.errors import InputError
from mclstexp.generation.painting import Stop, Windows, laid_together, paint, plain_way, turned
from mclstexp.nn import first_stage, latent_unet
from mclstexp.nn.feature_context import FeatureContext
from mclstexp.nn.first_stage import FirstStage
from mclstexp.nn.latent_diffusion import guided, noise_betas, noise_kept, sample
from mclstexp.nn.latent_unet import LatentUNet


def test_turning_worked_by_hand():
    x, y = np.array([1.0, 0]), np.array([0, 1.0])
    assert turned(0.5, x, y) == pytest.approx([0.70710678, 0.70710678])
    assert turned(0.25, 2 * x, y) == pytest.approx([1.84775907, 0.38268343])
    assert turned(0.25, x, -x) == pytest.approx([0.5, 0]), "no arc against each other: straight, and finite"
    assert turned(0.5, x, x) == pytest.approx([1, 0])


def test_a_window_is_told_the_node_at_its_corner():
    windows = Windows(2, 3, side=16, stride=8)
    assert windows.size == (32, 48)
    assert windows.corners.tolist() == [[row, column] for row in (0, 8, 16) for column in range(0, 33, 8)]
    grid = np.random.default_rng(0).normal(size=(2, 3, 5))
    told = windows.features(grid, raw=True)
    on_nodes = (windows.corners % 16 == 0).all(axis=1)
    assert np.allclose(told[on_nodes], grid.reshape(-1, 5))
    assert np.allclose(told[1], turned(0.5, grid[0, 0], grid[0, 1]))
    unit = windows.features(grid)
    assert np.allclose(unit[on_nodes], (grid / np.linalg.norm(grid, axis=-1, keepdims=True)).reshape(-1, 5))
    assert np.allclose(np.linalg.norm(unit, axis=-1), 1), "of one length all the way"
    assert np.allclose(windows.features(np.zeros((2, 3, 4))), 0)
    with pytest.raises(InputError, match="a stride that divides the window of 16 expected, found 5"):
        Windows(1, 1, side=16, stride=5)


def _taught(told):
    """Return a denoiser for each window that is sure of a picture of one number, and of its own crop."""

    def denoise(part):
        aim = torch.tensor(told)[part][:, None, None, None]
        return lambda values, time: 0.3 * values + aim * torch.ones_like(values) + 0.1 * time[0] / 1000

    return denoise


def test_windows_side_by_side_are_tiles_each_by_itself():
    windows = Windows(2, 2, side=4, stride=4)
    start, told = torch.randn(1, 3, 8, 8), [0.0, 0.2, -0.1, 0.4]
    found = paint(_taught(told), start, windows=windows, way=plain_way(5))
    for number, (top, left) in enumerate(windows.corners):
        denoise = _taught(told)(torch.tensor([number]))
        alone = sample(denoise, start[:, :, top : top + 4, left : left + 4], n_steps=5)
        assert torch.allclose(found[:, :, top : top + 4, left : left + 4], alone, rtol=1e-4, atol=1e-4)


def test_what_is_painted_does_not_depend_on_how_many_windows_are_looked_at_together():
    windows = Windows(2, 2, side=4, stride=2)
    start, told = torch.randn(1, 3, 8, 8), np.linspace(-1, 1, 9).astype(np.float32).tolist()
    whole = paint(_taught(told), start, windows=windows, way=plain_way(5))
    one_by_one = paint(_taught(told), start, windows=windows, way=plain_way(5), chunk=1)
    assert torch.allclose(whole, one_by_one, rtol=1e-4, atol=1e-4)


def _doubled(values):
    return values.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_a_picture_that_is_everywhere_alike_is_laid_together_without_seams():
    windows = Windows(2, 3, side=4, stride=2)
    canvas = torch.zeros(1, 3, *windows.size)
    picture = laid_together(
        lambda values: values.repeat_interleave(2, 2).repeat_interleave(2, 3), canvas, windows=windows
    )
    assert picture.shape == (16, 24, 3)
    assert np.allclose(picture, 0.5)


@pytest.mark.slow
@pytest.mark.data
def test_the_released_large_picture_with_its_faults_and_ours_without(parity_dir):
    """It tells the network times one too late, up to 1000, and adds the noise of one time over strides of 250."""
    folder = parity_dir / "lid_large_small"
    given, expected = load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors")
    unet = LatentUNet(3, width=32, mults=(1, 2), n_blocks=1, attention_at=(2,), context_dim=16)
    small = parity_dir / "lid_small"
    latent_unet.load_released(unet, load_file(small / "unet_state_dict.safetensors"), source="lid_small")
    context = FeatureContext(8, 16)
    weights = load_file(small / "embedder_state_dict.safetensors")
    context.load_state_dict({f"maps.0.{name.rpartition('.')[2]}": t.float() for name, t in weights.items()})
    stage = FirstStage(width=32, mults=(1, 1, 2), n_blocks=1, n_codes=64)
    vq = load_file(parity_dir / "lid_vq_small" / "state_dict.safetensors")
    first_stage.load_released(stage, vq, source="lid_vq_small")
    stage.eval()
    windows = Windows(2, 3, side=16, stride=8)
    told = windows.features(given["embeddings"].numpy().reshape(2, 3, 8), raw=True)
    assert np.allclose(told, expected["interpolated"], atol=1e-5)
    with torch.no_grad():
        tokens = context(torch.tensor(told, dtype=torch.float32))
        assert torch.allclose(tokens, expected["conditioning"], atol=1e-5)
        nothing = context(torch.zeros(1, 8))

        def denoise(part):
            return guided(unet, tokens[part], nothing, guidance=4.0)

        kept, betas, way = noise_kept(), noise_betas(), []
        for time in (1000, 750, 500, 250):
            last = time == 250
            kept_next = 1.0 if last else kept[time - 251]
            sd = 0.0 if last else (betas[time - 1] * (1 - kept_next) / (1 - kept[time - 1])) ** 0.5
            way.append(Stop(time, kept[time - 1], kept_next, sd))
        start = kept[999] ** 0.5 * given["noise_0"] + (1 - kept[999]) ** 0.5 * given["noise_1"]
        draws = iter([given["noise_2"], given["noise_3"], given["noise_4"]])
        canvas = paint(denoise, start.float(), windows=windows, way=way, fresh=lambda: next(draws))
        assert torch.allclose(canvas, expected["latent"], rtol=1e-3, atol=1e-3 * float(expected["latent"].abs().max()))
        picture = laid_together(stage.decode, expected["latent"], windows=windows)
        found = (255 * picture).astype(np.uint8).astype(int)
        assert (np.abs(found - expected["image_uint8"].numpy().reshape(found.shape)) <= 1).mean() > 0.999
        assert all(stop.time < 1000 and stop.kept == kept[stop.time] and not stop.sd for stop in plain_way(4))
