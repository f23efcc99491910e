"""What a painter learns, on tissue whose answer is known: eight tiles by heart, and discs that are painted as asked."""

import numpy as np
import pytest
import torch

from mclstexp.generation.painter import Conditioned, Painter, paint_canvas, paint_tiles, teach
from mclstexp.generation.painting import Windows
from mclstexp.nn.feature_context import FeatureContext
from mclstexp.nn.latent_diffusion import noised
from mclstexp.nn.latent_unet import LatentUNet
from mclstexp.training.loop import TrainingOptions

pytestmark = pytest.mark.slow
SIDE = 16


def learnt(pictures, features, *, epochs, batch_size):
    torch.manual_seed(0)
    unet = LatentUNet(3, width=32, mults=(1, 2), n_blocks=1, attention_at=(2,), context_dim=32)
    painter = Painter(Conditioned(unet, FeatureContext(features.shape[1], 32), velocity=True), ema=0.99)
    options = TrainingOptions(epochs=epochs, batch_size=batch_size, learning_rate=2e-3)
    teach(painter, lambda rows: pictures[rows], features, options=options, workdir=None)
    return painter.mean.eval()


def painted(network, features, *, guidance=1.0, seed=0):
    return paint_tiles(network, features, shape=(3, SIDE, SIDE), seed=seed, n_steps=20, guidance=guidance)


def discs(n, rng):
    """Return discs on pink, (n, 3, side, side) in [-1, 1], and (n, 3) radius, redness and brightness."""
    asked = rng.uniform([2.5, 0, 0.3], [6.5, 1, 0.9], (n, 3))
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    inside = np.clip(asked[:, 0, None, None] - np.hypot(x, y) + 0.5, 0, 1)[:, None]
    colour = asked[:, 2, None] * np.stack([asked[:, 1], 0.3 * np.ones(n), 1 - asked[:, 1]], axis=1)
    pink = np.array([0.95, 0.75, 0.85])[:, None, None]
    pictures = inside * colour[:, :, None, None] + (1 - inside) * pink
    return torch.tensor(2 * pictures - 1, dtype=torch.float32), asked


def as_features(asked, rng):
    scores = (asked - [4.5, 0.5, 0.6]) / [1.15, 0.29, 0.17] + rng.normal(0, 0.05, asked.shape)
    told = np.concatenate([scores, np.ones((len(scores), 1))], axis=1)
    return torch.tensor(told / np.linalg.norm(told, axis=1, keepdims=True), dtype=torch.float32)


def measured(pictures):
    """Return the number of dark pixels, and the mean colour of the middle."""
    values = (pictures.numpy() + 1) / 2
    pink = np.array([0.95, 0.75, 0.85])[:, None, None]
    area = (np.abs(values - pink).max(axis=1) > 0.2).sum(axis=(1, 2))
    return np.sqrt(area / np.pi), values[:, :, 6:10, 6:10].mean(axis=(2, 3))


def r2(truth, found):
    return np.corrcoef(truth, found)[0, 1] ** 2


def test_eight_tiles_are_learnt_by_heart_each_by_its_features():
    rng = np.random.default_rng(0)
    coarse = torch.tensor(rng.uniform(-1, 1, (8, 3, 4, 4)), dtype=torch.float32)
    pictures = coarse.repeat_interleave(4, 2).repeat_interleave(4, 3)
    features = torch.nn.functional.normalize(torch.tensor(rng.normal(size=(8, 6)), dtype=torch.float32), dim=1)
    network = learnt(pictures, features, epochs=300, batch_size=8)
    time = torch.arange(8) * 120 + 40
    noise = torch.randn(8, 3, SIDE, SIDE)
    with torch.no_grad():
        off = float(((network(noised(pictures, noise, time), time, features) - noise) ** 2).mean())
    assert off < 0.15
    found = painted(network, features)
    distance = ((found[:, None] - pictures[None]) ** 2).mean(dim=(2, 3, 4))
    assert distance.argmin(dim=1).tolist() == list(range(8))


def test_discs_are_painted_as_asked():
    rng = np.random.default_rng(0)
    pictures, asked = discs(512, rng)
    network = learnt(pictures, as_features(asked, rng), epochs=40, batch_size=32)
    _, wanted = discs(64, rng)
    radius, colour = measured(painted(network, as_features(wanted, rng)))
    shuffled = np.roll(np.arange(64), 1)
    brightness = wanted[:, 2]
    assert r2(wanted[:, 0], radius) > 0.7
    assert r2(brightness * wanted[:, 1], colour[:, 0]) > 0.7
    assert r2(wanted[shuffled, 0], radius) < 0.15
    grid = np.tile([4.5, 0.5, 0.6], (4, 4, 1))
    grid[..., 2] = np.linspace(0.35, 0.85, 4)
    windows = Windows(4, 4, side=SIDE, stride=SIDE // 2)
    told = windows.features(as_features(grid.reshape(-1, 3), rng).numpy().reshape(4, 4, -1))
    start = torch.randn(1, 3, *windows.size)
    picture = paint_canvas(
        network,
        lambda values: values,
        torch.tensor(told, dtype=torch.float32),
        windows=windows,
        start=start,
        n_steps=20,
        guidance=1.0,
    )
    middles = [picture[:, 16 * i + 6 : 16 * i + 10][6:10].mean() for i in range(4)]
    assert np.argsort(middles).tolist() == [0, 1, 2, 3]
