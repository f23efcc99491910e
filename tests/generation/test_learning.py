"""What a painter learns, where the answer is known: eight tiles by heart, each by its features."""

import numpy as np
import pytest
import torch

from mclstexp.generation.painter import Conditioned, Painter, paint_tiles, teach
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
