"""Stain numbers in the place of a network: how much haematoxylin and eosin a tile shows, and how unevenly."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float
from skimage.color import hed_from_rgb
from torch import Tensor, nn

NUMBERS: Final = ("haematoxylin", "eosin", "density")
"""What is measured of a tile; first the means, then the standard deviations."""
_DARKEST: Final = 1e-6
"""The least light that counts, as in scikit-image's `separate_stains`: its logarithm is one unit of stain."""


@final
class Colour(nn.Module):
    """Mean and standard deviation of haematoxylin, eosin and optical density over a tile's pixels.

    Stains are unmixed as scikit-image's `rgb2hed` does, with the optical densities that Ruifrok & Johnston (2001)
    measured; the density is the mean of red, green and blue. Nothing in it was learnt.
    """

    pretrained_cfg: Final = MappingProxyType({"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)})
    num_features: Final = 2 * len(NUMBERS)
    unmixing: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("unmixing", _unmixing())

    def forward(self, images: Float[Tensor, "n 3 rows columns"]) -> Float[Tensor, "n 6"]:
        """Measure; red, green and blue from 0 to 1."""
        shown = stains(images, self.unmixing).flatten(start_dim=2)
        return torch.cat([shown.mean(dim=2), shown.std(dim=2, correction=0)], dim=1)

    def reset_classifier(self, num_classes: int) -> None:
        """Do nothing: there is no classifier."""


def stains(
    images: Float[Tensor, "n 3 rows columns"], unmixing: Tensor | None = None
) -> Float[Tensor, "n 3 rows columns"]:
    """Measure `NUMBERS` at each pixel; red, green and blue from 0 to 1."""
    density = torch.log(images.clamp(min=_DARKEST)) / float(np.log(_DARKEST))
    # sums and no product of matrices: those are rounded under autocast
    columns = (_unmixing() if unmixing is None else unmixing).T
    unmixed = [(density * column[:, None, None]).sum(dim=1).clamp(min=0) for column in columns]
    return torch.stack([*unmixed, density.mean(dim=1)], dim=1)


def _unmixing() -> Tensor:
    return torch.from_numpy(np.asarray(hed_from_rgb[:, :2], np.float32))
