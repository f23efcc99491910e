"""What DeepSpot and TRIPLEX see of tiles: their parts and the tissue around them, as features of a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from mclstexp.core.tiles import Tiles
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.surroundings import embed_subtiles, window_around


@dataclass(frozen=True, eq=False)
class Scene:
    """Features of tiles of one slide (or of several, one below the other), each place held once."""

    parts: Float[np.ndarray, "n_tiles n_parts n_features"]
    """Of each tile's parts, upper left first, row by row."""
    places: Float[np.ndarray, "n_places n_features"]
    """Of the places around the tiles and of the tiles themselves."""
    index: Int[np.ndarray, "n_tiles n_window"]
    """For each tile the rows of `places` around it, row by row, itself in the middle."""

    def __len__(self) -> int:
        return len(self.index)

    @property
    def own(self) -> Float[np.ndarray, "n_tiles n_features"]:
        """Features of the tiles themselves."""
        return self.places[self.index[:, self.index.shape[1] // 2]]

    def reduced(
        self, mean: Float[np.ndarray, " n_features"], components: Float[np.ndarray, "n_features n_components"]
    ) -> Self:
        """Return the same with (features - mean) @ components in place of the features."""
        parts = (self.parts.reshape(-1, len(mean)) - mean) @ components
        return type(self)(
            parts=parts.reshape(*self.parts.shape[:2], components.shape[1]).astype(np.float32),
            places=((self.places - mean) @ components).astype(np.float32),
            index=self.index,
        )


def look_at(tiles: Tiles, encoder: str, *, parts_side: int, window_side: int, stride_um: float | None) -> Scene:
    """Embed tiles, their parts and their surroundings.

    Parameters
    ----------
    tiles
        Tiles of one slide.
    encoder
        Name of a frozen encoder; embeddings are cached.
    parts_side, window_side, stride_um
        See `embed_subtiles` and `window_around`.

    Raises
    ------
    InputError
        As those two.
    """
    window = window_around(tiles, n_side=window_side, stride_um=stride_um)
    return Scene(
        parts=embed_subtiles(tiles, encoder, n_side=parts_side),
        places=embed_tiles(window.places, encoder),
        index=window.index,
    )


def join(scenes: Sequence[Scene]) -> Scene:
    """Put scenes one below the other."""
    starts = np.cumsum([0, *(len(scene.places) for scene in scenes[:-1])])
    return Scene(
        parts=np.concatenate([scene.parts for scene in scenes]),
        places=np.concatenate([scene.places for scene in scenes]),
        index=np.concatenate([scene.index + start for scene, start in zip(scenes, starts, strict=True)]),
    )
