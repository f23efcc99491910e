"""What DeepSpot and TRIPLEX see of tiles: their parts and the tissue around them, as features of a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from mclstexp.core.method import State
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles
from mclstexp.sight.feature_predictor import FeaturePredictor
from mclstexp.sight.fitted import FittedSight
from mclstexp.sight.sight import Sight
from mclstexp.sight.surroundings import parts_of, window_around


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


@dataclass
class ScenePredictor(FeaturePredictor):
    """A method that looks into a tile and at the tiles around it, each seen by its sight.

    Its surroundings are its window: radii of a sight add nothing to it. Parts are tiles of their own, scaled as such.
    """

    parts_side: int = 3
    """A tile is cut into so many parts a side."""
    window_side: int = 3
    """Tiles a side of the window around a tile, itself in the middle; odd."""
    window_stride_um: float | None = None
    """Distance between the window's tiles (µm); None: the tile's side."""

    @property
    def sight(self) -> Sight:
        """What it sees of a place."""
        return replace(super().sight, context_radii_um=())

    def _learn_sight(self, sections: Sequence[Section], *, frozen: bool = True) -> None:
        super()._learn_sight(sections, frozen=frozen)
        self.parts_seen_ = FittedSight.fit(self.sight, [self._parts(section.tiles) for section in sections])

    def _parts(self, tiles: Tiles) -> Tiles:
        return parts_of(tiles, self.encoder, n_side=self.parts_side)

    def _scene(self, tiles: Tiles) -> Scene:
        """Look at tiles of one slide, their parts and their surroundings."""
        window = window_around(tiles, n_side=self.window_side, stride_um=self.window_stride_um)
        parts = self.parts_seen_.look(self._parts(tiles)).values
        return Scene(
            parts=parts.reshape(len(tiles), self.parts_side**2, parts.shape[1]),
            places=self._look(window.places),
            index=window.index,
        )

    def _sight_state(self) -> State:
        parts = self.parts_seen_.state("parts")
        return super()._sight_state().joined(parts)

    def _take_sight(self, state: State) -> None:
        super()._take_sight(state)
        self.parts_seen_ = FittedSight.from_state(self.sight, state, "parts")


def join(scenes: Sequence[Scene]) -> Scene:
    """Put scenes one below the other."""
    starts = np.cumsum([0, *(len(scene.places) for scene in scenes[:-1])])
    return Scene(
        parts=np.concatenate([scene.parts for scene in scenes]),
        places=np.concatenate([scene.places for scene in scenes]),
        index=np.concatenate([scene.index + start for scene, start in zip(scenes, starts, strict=True)]),
    )
