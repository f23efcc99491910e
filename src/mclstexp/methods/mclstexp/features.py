"""What the image side of strict mclSTExp sees: a place, its wider views, and the mean of the tiles around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from mclstexp.core.tiles import Tiles
from mclstexp.data.neighbours import mean_of_neighbours
from mclstexp.nn.heads import Reduction
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.symmetries import embed_symmetries
from mclstexp.sight.views import embed_views
from mclstexp.training.aligned import fit_reduction

Sight = Literal["place", "surroundings"]
"""What a model sees: the place alone, or the tiles around it too."""


@dataclass(frozen=True)
class TileFeatures:
    """Frozen features side by side: the tile's own, its wider views', and the context."""

    values: Float[np.ndarray, "n_tiles n_features"]
    """All of them, own first, context last."""
    n_own: int
    """Length of the tile's own."""
    n_place: int
    """Length of the own and the views' together: what does not depend on other tiles."""

    @classmethod
    def look_up(
        cls,
        tiles: Tiles,
        encoder: str,
        *,
        view_widths: Sequence[float],
        view_size_px: int | None,
        context_radii_um: Sequence[float],
        symmetric: bool = False,
    ) -> TileFeatures:
        """Take features from the cache or compute them.

        The context is the mean of the widest view over the other tiles within each radius, which says more about
        real sections than the mean of the tiles themselves.
        """
        own = embed_symmetries(tiles, encoder).mean(axis=1) if symmetric else embed_tiles(tiles, encoder)
        views = embed_views(tiles, encoder, widths=sorted(view_widths), size_px=view_size_px, symmetric=symmetric)
        place = np.concatenate([own, views], axis=1)
        widest = place[:, -own.shape[1] :]
        context = [
            mean_of_neighbours(widest, tiles.xy_um, radius_um=radius, array_xy=tiles.array_xy)
            for radius in context_radii_um
        ]
        return cls(np.concatenate([place, *context], axis=1), n_own=own.shape[1], n_place=place.shape[1])

    @classmethod
    def join(cls, parts: Sequence[TileFeatures]) -> TileFeatures:
        """Put sections one below the other."""
        return cls(np.concatenate([part.values for part in parts]), n_own=parts[0].n_own, n_place=parts[0].n_place)

    def reduction(self, sight: Sight, *, n_components: int, seed: int) -> Reduction:
        """Learn the reduction of a model that sees so much.

        With the surroundings all is reduced together: neighbouring tiles and wide views tell much the same, and the
        leading components are what they agree on. A place alone keeps components of its own, beside the views'.
        """
        n_own, n_place = self.n_own, self.n_place
        apart = [slice(0, n_own), slice(n_own, n_place)] if sight == "place" else [slice(0, self.values.shape[1])]
        centre, blocks = np.zeros(self.values.shape[1], np.float32), []
        for columns in (columns for columns in apart if columns.start < columns.stop):
            mean, components = fit_reduction(self.values[:, columns], n_components=n_components, seed=seed)
            centre[columns] = mean
            block = np.zeros((self.values.shape[1], components.shape[1]), np.float32)
            block[columns] = components
            blocks.append(block)
        return Reduction(torch.from_numpy(centre), torch.from_numpy(np.concatenate(blocks, axis=1)))
