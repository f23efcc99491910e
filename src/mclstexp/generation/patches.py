"""Pixels as diffusion takes them where there is no learnt first stage: small patches in their principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from mclstexp.core.method import State
from mclstexp.core.stored import stored_arrays

_MOST: Final = 200_000
"""Patches that components are taken from at most."""
_LEAST: Final = 1e-3
"""Spread below which a component is no more than rounding of pixels."""


def as_signed(pictures: UInt8[np.ndarray, "n side side 3"]) -> Float[Tensor, "n 3 side side"]:
    """Return pictures in [-1, 1], channels first."""
    return torch.from_numpy(pictures).movedim(-1, 1).float() / 127.5 - 1


@dataclass(frozen=True, eq=False)
class Patches:
    """Turns pictures into maps and back without training: a linear first stage.

    The first components of patches of 4 by 4 pixels carry a picture; each is divided by the root of its spread, so that
    fine detail weighs less than what is large, but not nothing.
    """

    mean: Float[np.ndarray, " n_values"]
    """Of patches, n_values = 3 · factor²."""
    axes: Float[np.ndarray, "n_latent n_values"]
    """Components, one of unit length in each row."""
    scale: Float[np.ndarray, " n_latent"]
    """What each is divided by."""
    factor: int = 4
    """Pixels along the side of a patch."""

    @property
    def n_latent(self) -> int:
        """Channels of the maps."""
        return len(self.axes)

    @classmethod
    def fit(cls, pictures: UInt8[np.ndarray, "n side side 3"], *, n_latent: int, factor: int = 4) -> Self:
        """Take the components of training pictures.

        Parameters
        ----------
        pictures
            What is learnt from.
        n_latent
            Components that are kept; all 3 · factor² lose nothing.
        factor
            Pixels along the side of a patch, which divides the pictures' side.
        """
        patches = _cut(as_signed(pictures), factor).flatten(2).movedim(1, 2).flatten(0, 1).double().numpy()
        patches = patches[:: max(1, len(patches) // _MOST)]
        mean = patches.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(patches - mean, rowvar=False))
        order = np.argsort(-values, kind="stable")[:n_latent]
        axes = vectors[:, order].T
        axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]  # of two signs always one
        spread = np.sqrt(np.maximum(values[order], _LEAST**2))
        scale = np.sqrt(spread)
        scale *= np.sqrt((spread**2 / scale**2).mean())  # so that maps have unit variance on the whole
        return cls(mean.astype(np.float32), axes.astype(np.float32), scale.astype(np.float32), factor)

    def encode(self, pictures: Float[Tensor, "n 3 side side"]) -> Float[Tensor, "n n_latent h w"]:
        """Return maps of pictures in [-1, 1]."""
        patches = _cut(pictures, self.factor)
        mean, axes, scale = self._on(patches)
        return torch.einsum("nchw,kc->nkhw", patches - mean[:, None, None], axes) / scale[:, None, None]

    def decode(self, latent: Float[Tensor, "n n_latent h w"]) -> Float[Tensor, "n 3 side side"]:
        """Return pictures of maps."""
        mean, axes, scale = self._on(latent)
        patches = torch.einsum("nkhw,kc->nchw", latent * scale[:, None, None], axes) + mean[:, None, None]
        return functional.pixel_shuffle(patches, self.factor)

    def state(self) -> State:
        """Return what a saved model keeps of it."""
        return State({"patches.mean": self.mean, "patches.axes": self.axes, "patches.scale": self.scale}, {})

    @classmethod
    def from_state(cls, state: State, *, n_latent: int, factor: int = 4) -> Self:
        """Take back what `state` returned.

        Raises
        ------
        InputError
            If something is missing or of another shape.
        """
        layout = {"patches.mean": "values", "patches.axes": "latent values", "patches.scale": "latent"}
        mean, axes, scale = stored_arrays(state, layout, values=3 * factor**2, latent=n_latent)
        return cls(mean, axes, scale, factor)

    def _on(self, like: Tensor) -> list[Tensor]:
        return [torch.from_numpy(part).to(like) for part in (self.mean, self.axes, self.scale)]


def _cut(pictures: Tensor, factor: int) -> Tensor:
    return functional.pixel_unshuffle(pictures, factor)
