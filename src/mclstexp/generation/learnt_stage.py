"""A first stage of our own: a small VQ autoencoder, trained on the tiles that the painter is trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from mclstexp.core.method import State
from mclstexp.core.options import build
from mclstexp.nn.first_stage import FirstStage
from mclstexp.nn.quantise import COMMITMENT, Quantised
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.progress import train_shown


@dataclass(frozen=True)
class StageSizes:
    """Of a VQ autoencoder."""

    width: int = 32
    """Channels of the first level."""
    mults: tuple[int, ...] = (1, 1, 2)
    """Channels of each level, in widths; each but the last halves the sides."""
    n_blocks: int = 1
    """Blocks a level."""
    n_latent: int = 4
    """Channels of the maps."""
    n_codes: int = 256
    """Entries of the codebook."""

    def make(self) -> FirstStage:
        """Make it, untrained."""
        return FirstStage(
            width=self.width,
            mults=self.mults,
            n_blocks=self.n_blocks,
            n_latent=self.n_latent,
            n_codes=self.n_codes,
        )


class LearntStage:
    """A trained autoencoder, its maps brought to unit variance.

    Parameters
    ----------
    network
        Trained.
    scale
        Standard deviation of its maps on training tiles.
    """

    def __init__(self, network: FirstStage, scale: float) -> None:
        self.network, self.scale = network.eval().requires_grad_(requires_grad=False), scale

    @property
    def factor(self) -> int:
        """Pixels along the side of a place on the map."""
        return self.network.factor

    @property
    def n_latent(self) -> int:
        """Channels of the maps."""
        return self.network.n_latent

    def encode(self, pictures: Float[Tensor, "n 3 side side"]) -> Float[Tensor, "n n_latent h w"]:
        """Return maps of pictures in [-1, 1]; the codebook comes on the way back alone."""
        return self.network.encode(pictures) / self.scale

    def decode(self, latent: Float[Tensor, "n n_latent h w"]) -> Float[Tensor, "n 3 side side"]:
        """Return pictures of maps."""
        return self.network.decode(latent * self.scale)

    def state(self) -> State:
        """Return what a saved model keeps of it."""
        arrays = {f"stage.{name}": value.cpu().numpy() for name, value in self.network.state_dict().items()}
        return State(arrays, {"stage_scale": self.scale})

    @classmethod
    def from_state(cls, state: State, sizes: StageSizes) -> LearntStage:
        """Take back what `state` returned."""
        network = sizes.make()
        saved = {name: value for name, value in state.arrays.items() if name.startswith("stage.")}
        network.load_state_dict({n.removeprefix("stage."): torch.from_numpy(v.copy()) for n, v in saved.items()})
        scale = build(_Scale, {"stage_scale": state.meta.get("stage_scale")}, where="a saved first stage")
        return cls(network, scale.stage_scale)


@dataclass(frozen=True)
class _Scale:
    stage_scale: float


def teach_stage(
    sizes: StageSizes,
    pictures_of: Callable[[Tensor], Tensor],
    n_tiles: int,
    *,
    options: TrainingOptions,
    workdir: Path | None,
    device: torch.device,
) -> LearntStage:
    """Train an autoencoder by how far pictures come back from what they were: squares and amounts, pixel by pixel.

    The published one was trained with a perceptual loss and against a discriminator too, on millions of pictures; both
    are left out here, and what comes back is softer.

    Parameters
    ----------
    sizes
        Of the network.
    pictures_of
        Pictures in [-1, 1] of tiles of these rows, on the device.
    n_tiles
        How many there are.
    options, workdir
        See `training.loop.train`.
    device
        Where it is trained, and stays.
    """
    network = sizes.make().to(device)
    last: list[Quantised] = []

    def step(rows: Tensor) -> Tensor:
        if last:  # its backward pass is over by now
            network.quantiser.update(last.pop())
        pictures = pictures_of(rows)
        back, found = network(pictures)
        last.append(found)
        off = back - pictures
        loss: Tensor = (off**2).mean() + off.abs().mean() + COMMITMENT * found.commitment
        return loss

    train_shown(network, step, n_tiles, options=options, label="first stage", workdir=workdir)
    network.eval()
    with torch.no_grad():
        maps = [network.encode(pictures_of(rows)) for rows in torch.arange(n_tiles).split(32)[:32]]
    return LearntStage(network, float(torch.cat(maps).std()))
