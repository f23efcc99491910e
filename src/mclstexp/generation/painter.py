"""The network that paints, as it is trained and asked: a U-Net, its features' tokens, and running means of both."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.generation.painting import Windows, laid_together, paint, plain_way
from mclstexp.nn.feature_context import FeatureContext
from mclstexp.nn.latent_diffusion import N_TIMES, Denoiser, guided, noise_kept, noised, sample
from mclstexp.nn.latent_unet import LatentUNet
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.progress import train_shown

_UNTOLD: Final = 0.1
"""Share of training tiles that are shown without their features."""
_AT_ONCE: Final = 32
"""Tiles that are painted together, always: another number would round differently."""


class Conditioned(nn.Module):
    """A U-Net and the map from features to its context.

    Parameters
    ----------
    unet, context
        The two.
    velocity
        Whether the U-Net says v = √ᾱ · noise - √(1 - ᾱ) · clean (Salimans and Ho 2022) in place of the noise itself.
        Where hardly anything but noise is left, a guess of noise has to be exact to a thousandth before anything can be
        told from it; a small network never gets there.
    """

    def __init__(self, unet: LatentUNet, context: FeatureContext, *, velocity: bool) -> None:
        super().__init__()
        self.unet, self.context, self.velocity = unet, context, velocity

    def noise(self, values: Tensor, time: Tensor, context: Tensor) -> Tensor:
        """Say which noise lies on maps, given the tokens of their features."""
        said: Tensor = self.unet(values, time, context)
        if not self.velocity:
            return said
        kept = _kept_at(time, like=values)
        return (1 - kept).sqrt() * values + kept.sqrt() * said

    def forward(
        self, values: Float[Tensor, "n n_channels h w"], time: Tensor, features: Float[Tensor, "n n_features"]
    ) -> Float[Tensor, "n n_channels h w"]:
        """Say which noise lies on maps of tiles with these features; zeros say nothing of them."""
        return self.noise(values, time, self.context(features))


class Painter(nn.Module):
    """What is trained, beside its running mean, which paints.

    Parameters
    ----------
    network
        What is trained.
    ema
        Share of the running mean that a step keeps; lower in the first steps.
    """

    steps: Tensor

    def __init__(self, network: Conditioned, *, ema: float) -> None:
        super().__init__()
        self.network, self.ema = network, ema
        self.mean = copy.deepcopy(network).requires_grad_(requires_grad=False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def remember(self) -> None:
        """Move the running mean towards the network as it stands."""
        self.steps += 1
        keep = min(self.ema, float(self.steps) / (float(self.steps) + 10))
        for old, new in zip(self.mean.parameters(), self.network.parameters(), strict=True):
            old.lerp_(new, 1 - keep)

    def loss(self, latent: Float[Tensor, "n n_channels h w"], features: Float[Tensor, "n n_features"]) -> Tensor:
        """Lay noise on maps, of any of the times, and return how far off (squared) what the U-Net says of it is."""
        time = torch.randint(N_TIMES, (len(latent),)).to(latent.device)
        noise = torch.randn(latent.shape).to(latent.device)
        untold = (torch.rand(len(latent)) < _UNTOLD).to(latent.device)
        context = self.network.context(features * ~untold[:, None])
        found = self.network.unet(noised(latent, noise, time), time, context)
        target = noise
        if self.network.velocity:
            kept = _kept_at(time, like=latent)
            target = kept.sqrt() * noise - (1 - kept).sqrt() * latent
        return ((found - target) ** 2).mean()


def _kept_at(time: Tensor, *, like: Tensor) -> Tensor:
    kept = torch.tensor(noise_kept(), dtype=like.dtype, device=like.device)[time.long()]
    return kept.view(-1, *[1] * (like.dim() - 1))


def teach(
    painter: Painter,
    maps_of: Callable[[Tensor], Tensor],
    features: Float[Tensor, "n_tiles n_features"],
    *,
    options: TrainingOptions,
    workdir: Path | None,
) -> None:
    """Train a painter.

    Parameters
    ----------
    painter
        What is trained, where it is to be.
    maps_of
        Maps of the tiles of these rows, on the painter's device.
    features
        As the painter takes them, of every tile.
    options, workdir
        See `training.loop.train`.
    """

    def step(rows: Tensor) -> Tensor:
        painter.remember()
        latent = maps_of(rows)
        return painter.loss(latent, features[rows].to(latent.device))

    train_shown(painter, step, len(features), options=options, label="painter", workdir=workdir)
    painter.remember()


@torch.no_grad()
def paint_tiles(
    network: Conditioned,
    features: Float[Tensor, "n n_features"],
    *,
    shape: tuple[int, int, int],
    seed: int,
    n_steps: int,
    guidance: float,
) -> Float[Tensor, "n n_channels h w"]:
    """Return maps for rows of features; a row's depends on its features, its number and the seed.

    Parameters
    ----------
    network
        Trained.
    features
        What is asked for.
    shape
        Of a map (n_channels, h, w).
    seed, n_steps, guidance
        Of the noise, of the way, and how far beyond what the network says.
    """
    made = []
    for first in range(0, len(features), _AT_ONCE):
        rows = torch.arange(first, min(first + _AT_ONCE, len(features)))
        start = torch.stack([noise_of(shape, seed, int(row)) for row in rows]).to(features.device)
        told = features[rows]
        if len(rows) < _AT_ONCE:  # one shape always, for kernels of another round differently
            lacking = _AT_ONCE - len(rows)
            start, told = (torch.cat([part, part[:1].expand(lacking, *part.shape[1:])]) for part in (start, told))
        made.append(sample(denoiser(network, told, guidance=guidance), start, n_steps=n_steps)[: len(rows)])
    return torch.cat(made)


@torch.no_grad()
def paint_canvas(
    network: Conditioned,
    decode: Callable[[Tensor], Tensor],
    told: Float[Tensor, "n_windows n_features"],
    *,
    windows: Windows,
    start: Float[Tensor, "1 n_channels height width"],
    n_steps: int,
    guidance: float,
) -> Float[np.ndarray, "height_px width_px 3"]:
    """Return one picture in [0, 1] of windows that overlap; see `generation.painting`."""

    def denoise(part: Tensor) -> Denoiser:
        return denoiser(network, told[part], guidance=guidance)

    canvas = paint(denoise, start, windows=windows, way=plain_way(n_steps), chunk=_AT_ONCE)
    return laid_together(decode, canvas, windows=windows)


def denoiser(network: Conditioned, features: Float[Tensor, "n n_features"], *, guidance: float) -> Denoiser:
    """Return who says which noise lies on maps of tiles with these features."""
    context, nothing = network.context(features), network.context(torch.zeros_like(features[:1]))
    return guided(network.noise, context, nothing, guidance=guidance)


def noise_of(shape: tuple[int, ...], *seeds: int) -> Tensor:
    """Return standard normal numbers that depend on nothing but seeds."""
    values = np.random.default_rng([*seeds]).standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(values)
