"""What a network is shown of a tile: features of a frozen encoder, or the pixels themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles
from mclstexp.data.pixels import read_patches
from mclstexp.sight.embed import check_encoder, embed_tiles, frozen_encoder

ImageKind = Literal["features", "pixels"]


@dataclass(frozen=True)
class TileImages:
    """One way of showing tiles.

    Raises
    ------
    InputError
        If the kind is unknown or the size is not positive.
    """

    kind: ImageKind = "features"
    """"features" of a frozen encoder, or "pixels"."""
    encoder: str = "densenet121"
    """Frozen image encoder; not asked for pixels."""
    size_px: int = 112
    """Side of the pixels."""

    def __post_init__(self) -> None:
        if self.kind not in ("features", "pixels"):
            msg = f"option image must be 'features' or 'pixels', found {self.kind!r}"
            raise InputError(msg)
        if self.size_px < 1:
            msg = f"the side of a patch must be at least 1 pixel, found {self.size_px}"
            raise InputError(msg)

    def identity(self) -> dict[str, str]:
        """Return what a fitted model must remember of the encoder; nothing for pixels."""
        return frozen_encoder(self.encoder) if self.kind == "features" else {}

    def check(self, fitted: dict[str, str]) -> None:
        """Refuse an encoder other than the one of the fit, see `check_encoder`."""
        if self.kind == "features":
            check_encoder(self.encoder, fitted)

    def __call__(self, tiles: Tiles) -> Tensor:
        """Return (n_tiles, n_features) float32 or (n_tiles, 3, size_px, size_px) uint8, on the CPU."""
        if self.kind == "features":
            return torch.from_numpy(embed_tiles(tiles, self.encoder))
        return torch.from_numpy(read_patches(tiles, size_px=self.size_px))
