"""Diffusion that is told frozen features of a tile, after Graikos and others (arXiv 2312.07330)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mclstexp.core.errors import InputError
from mclstexp.core.generator import Features, Generator, Pictures, register
from mclstexp.core.method import State
from mclstexp.core.stored import stored_arrays
from mclstexp.core.tiles import Tiles
from mclstexp.generation.learnt_stage import LearntStage, StageSizes, teach_stage
from mclstexp.generation.painter import Conditioned, Painter, noise_of, paint_canvas, paint_tiles, teach
from mclstexp.generation.painting import Windows
from mclstexp.generation.patches import Patches, as_signed
from mclstexp.generation.pictures import pictures_of_tiles, to_bytes
from mclstexp.nn.device import torch_device
from mclstexp.nn.feature_context import FeatureContext
from mclstexp.nn.latent_unet import GROUPS, LatentUNet
from mclstexp.sight.embed import frozen_encoder
from mclstexp.sight.fitted import FittedSight
from mclstexp.sight.sight import Sight
from mclstexp.training.loop import TrainingOptions

_PATCH_PX: Final = 4
_LEAST_SPREAD: Final = 1e-6


@register("diffusion")
@dataclass
class Diffusion(Generator):
    """Representation-guided diffusion (Graikos and others 2023): noise becomes a tile whose frozen features are given.

    A U-Net is taught which noise lies on tiles, told their features; from noise alone, step by step, it paints others.
    Large pictures are painted in windows that overlap, from a grid of features. Defaults are small, for a processor;
    the paper's widths are the preset "full", which needs a GPU and was not tried on one.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": {},
        "full": {
            "side_px": 256,
            "first_stage": "vq",
            "n_latent": 3,
            "stage_width": 128,
            "stage_mults": (1, 2, 4),
            "n_codes": 8192,
            "width": 192,
            "mults": (1, 2, 3, 5),
            "n_blocks": 2,
            "attention_at": (2, 4, 8),
            "context_dim": 512,
            "target": "noise",
            "max_steps": 500_000,
            "batch_size": 100,
            "learning_rate": 1e-4,
            "ema": 0.9999,
            "n_steps": 50,
            "guidance": 2.0,
        },
    }

    encoder: str = "efficientnet_lite0"
    """Frozen image encoder, a name of `create_encoder`, whose features are what a picture is asked for by."""
    side_px: int = 64
    """Side of a painted tile, a multiple of 8; it shows the tissue of the tiles that were learnt from."""
    first_stage: Literal["patches", "vq"] = "patches"
    """What diffusion works on: "patches", principal components of 4 by 4 pixels, or "vq", an autoencoder that is
    trained first."""
    n_latent: int = 12
    """Numbers for each 4 by 4 pixels."""
    stage_width: int = 32
    """Of "vq": channels of its first level; the levels have `stage_mults` times as many."""
    stage_mults: tuple[int, ...] = (1, 1, 2)
    """Of "vq": channels of each level in widths; three levels make a map of a quarter of the side."""
    n_codes: int = 256
    """Of "vq": entries of its codebook."""
    width: int = 32
    """Channels of the U-Net's first level, a multiple of 32."""
    mults: tuple[int, ...] = (1, 2)
    """Channels of its levels, in widths."""
    n_blocks: int = 1
    """Blocks a level."""
    attention_at: tuple[int, ...] = (2,)
    """By how much a map is reduced where the U-Net attends to places and features."""
    context_dim: int = 128
    """Length of the token that features become."""
    target: Literal["velocity", "noise"] = "velocity"
    """What the U-Net says: "noise", as published, or "velocity", a mixture of noise and picture that a small network
    learns in far fewer steps."""
    max_steps: int = 1000
    """Steps of training, at least one pass over the tiles; the paper's number was not available."""
    batch_size: int = 16
    """Tiles in a step."""
    learning_rate: float = 1e-3
    """Of AdamW, with warm-up and down to zero."""
    ema: float = 0.995
    """Share that the running mean of weights, which paints, keeps in a step."""
    flips: bool = True
    """Whether tiles are turned and mirrored while their features stay: features are then taken as blind to it."""
    n_steps: int = 20
    """Steps from noise to a picture."""
    guidance: float = 1.5
    """How far a picture goes to what features ask for: 1 is just there, more is beyond, at the price of variety."""
    seed: int = 0
    """Of weights, noise and order."""
    device: str = "auto"
    """Where it computes: "auto" is a GPU where there is one."""

    def __post_init__(self) -> None:
        least = {"n_latent": 1, "n_blocks": 1, "max_steps": 1, "batch_size": 1, "n_steps": 1, "n_codes": 2}
        for name, low in least.items():
            if getattr(self, name) < low:
                msg = f"{name} of {low} or more expected, found {getattr(self, name)}"
                raise InputError(msg)
        for name in ("width", "stage_width"):
            if getattr(self, name) < GROUPS or getattr(self, name) % GROUPS:
                msg = f"{name} of a multiple of {GROUPS} expected, found {getattr(self, name)}: channels go in groups"
                raise InputError(msg)
        reduced = _PATCH_PX * 2 ** (len(self.mults) - 1)
        if self.side_px < reduced or self.side_px % reduced or self.side_px // _PATCH_PX % 2:
            msg = f"side_px of a multiple of {reduced} expected, found {self.side_px}: the network halves it that often"
            raise InputError(msg)
        if len(self.stage_mults) != 3:
            msg = f"stage_mults of three levels, for a quarter of the side, expected, found {self.stage_mults}"
            raise InputError(msg)

    def _numerics(self) -> dict[str, str]:
        return frozen_encoder(self.encoder)

    def _fit(self, tiles: list[Tiles]) -> int:
        self._sight = FittedSight.fit(Sight(self.encoder), tiles)
        features = np.concatenate([self._look(part) for part in tiles])
        self._centre, spread = features.mean(axis=0), features.std(axis=0)
        self._spread = np.where(spread > _LEAST_SPREAD, spread, 1).astype(np.float32)
        pictures = np.concatenate([pictures_of_tiles(part, self.made_) for part in tiles])
        device = torch_device(self.device)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self._stage = self._learn_stage(pictures, device=device)
            painter = Painter(self._network(features.shape[1]), ema=self.ema).to(device)
            teach(
                painter,
                lambda rows: self._stage.encode(self._batch(pictures, rows).to(device)),
                self._told(features),
                options=self._training(len(pictures)),
                workdir=self._folder("painter"),
            )
        self._mean = painter.mean.eval()
        return int(features.shape[1])

    def _learn_stage(self, pictures: Pictures, *, device: torch.device) -> Patches | LearntStage:
        if self.first_stage == "patches":
            return Patches.fit(pictures, n_latent=min(self.n_latent, 3 * _PATCH_PX**2), factor=_PATCH_PX)
        return teach_stage(
            self._sizes(),
            lambda rows: self._batch(pictures, rows).to(device),
            len(pictures),
            options=self._training(len(pictures)),
            workdir=self._folder("stage"),
            device=device,
        )

    def _batch(self, pictures: Pictures, rows: Tensor) -> Float[Tensor, "n_rows 3 side side"]:
        """Take pictures of rows; in training each as one of its eight symmetries, drawn with the batch's dice."""
        found = as_signed(pictures[rows.numpy()])
        if not self.flips:
            return found
        turns = torch.randint(8, (len(found),)).tolist()
        return torch.stack([_turned(picture, turn) for picture, turn in zip(found, turns, strict=True)])

    def _training(self, n_tiles: int) -> TrainingOptions:
        epochs = math.ceil(self.max_steps / max(1, n_tiles // self.batch_size))
        return TrainingOptions(
            epochs=epochs, batch_size=self.batch_size, learning_rate=self.learning_rate, seed=self.seed
        )

    def _folder(self, name: str) -> Path | None:
        return None if self._workdir is None else self._workdir / name

    def _sizes(self) -> StageSizes:
        return StageSizes(self.stage_width, self.stage_mults, self.n_blocks, self.n_latent, self.n_codes)

    def _network(self, n_features: int) -> Conditioned:
        n_channels = min(self.n_latent, 3 * _PATCH_PX**2) if self.first_stage == "patches" else self.n_latent
        unet = LatentUNet(
            n_channels,
            width=self.width,
            mults=self.mults,
            n_blocks=self.n_blocks,
            attention_at=self.attention_at,
            context_dim=self.context_dim,
        )
        return Conditioned(unet, FeatureContext(n_features + 1, self.context_dim), velocity=self.target == "velocity")

    def _told(self, features: Features) -> Float[Tensor, "n n_told"]:
        """Return features as the network takes them: z-scores on training tiles, a one behind, of length one.

        Pooled features are all positive and nearly of one direction; at length one alone they would say little.
        """
        scores = (features - self._centre) / self._spread
        told = np.concatenate([scores, np.ones((len(scores), 1), np.float32)], axis=1)
        return torch.from_numpy(told / np.linalg.norm(told, axis=1, keepdims=True))

    def _look(self, tiles: Tiles) -> Features:
        return self._sight.look(tiles).values

    def _generate(self, features: Features, seed: int) -> Pictures:
        if not len(features):
            return np.zeros((0, self.side_px, self.side_px, 3), np.uint8)
        device = next(self._mean.parameters()).device
        side = self.side_px // _PATCH_PX
        maps = paint_tiles(
            self._mean,
            self._told(features).to(device),
            shape=(self._stage.n_latent, side, side),
            seed=seed,
            n_steps=self.n_steps,
            guidance=self.guidance,
        )
        with torch.no_grad():
            return to_bytes(torch.cat([self._stage.decode(part) for part in maps.split(32)]))

    def _paint(
        self, grid: Float[np.ndarray, "rows columns n_features"], seed: int, *, endless: bool
    ) -> UInt8[np.ndarray, "height width 3"]:
        device = next(self._mean.parameters()).device
        side = self.side_px // _PATCH_PX
        windows = Windows(grid.shape[0], grid.shape[1], side=side, stride=side // 2, endless=endless)
        told = self._told(grid.reshape(-1, grid.shape[2])).numpy().reshape(*grid.shape[:2], -1)
        picture = paint_canvas(
            self._mean,
            self._stage.decode,
            torch.from_numpy(windows.features(told).astype(np.float32)).to(device),
            windows=windows,
            start=noise_of((1, self._stage.n_latent, *windows.size), seed).to(device),
            n_steps=self.n_steps,
            guidance=self.guidance,
        )
        return np.rint(255 * picture).astype(np.uint8)

    def _get_state(self) -> State:
        arrays = {f"painter.{name}": value.cpu().numpy() for name, value in self._mean.state_dict().items()}
        scale = {"features.centre": self._centre, "features.spread": self._spread}
        return State({**arrays, **scale}, {}).joined(self._stage.state()).joined(self._sight.state())

    def _set_state(self, state: State) -> None:
        self._sight = FittedSight.from_state(Sight(self.encoder), state)
        layout = {"features.centre": "features", "features.spread": "features"}
        self._centre, self._spread = stored_arrays(state, layout, features=self.n_features_)
        n_latent = min(self.n_latent, 3 * _PATCH_PX**2)
        self._stage = (
            Patches.from_state(state, n_latent=n_latent, factor=_PATCH_PX)
            if self.first_stage == "patches"
            else LearntStage.from_state(state, self._sizes())
        )
        network = self._network(self.n_features_)
        saved = {name: value for name, value in state.arrays.items() if name.startswith("painter.")}
        network.load_state_dict({n.removeprefix("painter."): torch.from_numpy(v.copy()) for n, v in saved.items()})
        device = torch_device(self.device)
        self._mean = network.eval().to(device)
        if isinstance(self._stage, LearntStage):
            self._stage.network.to(device)


def _turned(picture: Float[Tensor, "3 side side"], number: int) -> Float[Tensor, "3 side side"]:
    turned = torch.rot90(picture, number % 4, (1, 2))
    return turned.flip(-1) if number >= 4 else turned
