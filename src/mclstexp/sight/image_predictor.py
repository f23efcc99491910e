"""`ImagePredictor`: what networks over whole sections share, that are shown features of tiles or their pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles
from mclstexp.data.pixels import read_patches
from mclstexp.sight.feature_predictor import FeaturePredictor
from mclstexp.sight.numerics import numerics

ImageKind = Literal["features", "pixels"]


@dataclass
class ImagePredictor(FeaturePredictor):
    """A method that looks at all tiles of a section at once, as frozen features or as the pixels themselves."""

    image: ImageKind = "features"
    """What is seen of a tile: "features" of the frozen encoder, or its "pixels", as published."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image not in ("features", "pixels"):
            msg = f"option image must be 'features' or 'pixels', found {self.image!r}"
            raise InputError(msg)
        if self.image == "pixels":
            self._require_plain("image='pixels'")

    @property
    def sees(self) -> str:
        """What it sees of a place, in the words of a table."""
        return "pixels" if self.image == "pixels" else super().sees

    @property
    def context_um(self) -> float:
        """How far (µm) a tile's prediction looks at other tiles: over the whole section."""
        return math.inf

    @property
    def _sees_features(self) -> bool:
        return self.image == "features"

    def _numerics(self) -> dict[str, str]:
        return numerics(self, encoder=self.encoder if self.image == "features" else None)

    def _learn_sight(self, sections: Sequence[Section], *, frozen: bool = True) -> None:
        super()._learn_sight(sections, frozen=frozen and self._sees_features)

    def _show(self, tiles: Tiles, *, size_px: int) -> Tensor:
        """Return (n_tiles, n_features) float32 or (n_tiles, 3, size_px, size_px) uint8, on the CPU."""
        if self._sees_features:
            return torch.from_numpy(self._look(tiles))
        return torch.from_numpy(read_patches(tiles, size_px=size_px))
