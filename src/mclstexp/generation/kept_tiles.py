"""What the controls have in common: they paint nothing, and hand out training tiles as they are."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from mclstexp.core.errors import InputError
from mclstexp.core.generator import Features, Generator, Pictures
from mclstexp.core.method import State
from mclstexp.core.stored import stored_arrays
from mclstexp.core.tiles import Tiles
from mclstexp.generation.pictures import pictures_of_tiles
from mclstexp.sight.embed import frozen_encoder
from mclstexp.sight.fitted import FittedSight
from mclstexp.sight.sight import Sight


@dataclass
class KeptTiles(Generator):
    """Keeps every training tile; a saved model holds them, and is no more to be passed on than they are."""

    encoder: str = "efficientnet_lite0"
    """Frozen image encoder, a name of `create_encoder`."""
    side_px: int = 64
    """Side of a tile that is handed out."""
    seed: int = 0
    """Of what is drawn."""

    def __post_init__(self) -> None:
        if self.side_px < 1:
            msg = f"side_px of 1 or more expected, found {self.side_px}"
            raise InputError(msg)

    def _numerics(self) -> dict[str, str]:
        return frozen_encoder(self.encoder)

    def _fit(self, tiles: list[Tiles]) -> int:
        self._sight = FittedSight.fit(Sight(self.encoder), tiles)
        self._features = np.concatenate([self._look(part) for part in tiles])
        self._pictures = np.concatenate([pictures_of_tiles(part, self.made_) for part in tiles])
        return int(self._features.shape[1])

    def _look(self, tiles: Tiles) -> Features:
        return self._sight.look(tiles).values

    def _generate(self, features: Features, seed: int) -> Pictures:
        return self._pictures[self._rows(features, seed)]

    def _paint(
        self,
        grid: Float[np.ndarray, "rows columns n_features"],
        seed: int,
        *,
        endless: bool,  # noqa: ARG002  tiles side by side have seams everywhere
    ) -> UInt8[np.ndarray, "height width 3"]:
        rows, columns, n_features = grid.shape
        tiles = self._generate(grid.reshape(-1, n_features), seed)
        side = self.side_px
        return tiles.reshape(rows, columns, side, side, 3).swapaxes(1, 2).reshape(rows * side, columns * side, 3)

    @abstractmethod
    def _rows(self, features: Features, seed: int) -> Int[np.ndarray, " n"]:
        """Return which training tile is handed out for each row of features."""

    def _get_state(self) -> State:
        arrays = {"features": self._features, "pictures": self._pictures}
        return State(arrays, {}).joined(self._sight.state())

    def _set_state(self, state: State) -> None:
        self._sight = FittedSight.from_state(Sight(self.encoder), state)
        (self._features,) = stored_arrays(state, {"features": "tiles features"}, features=self.n_features_)
        pictures = state.arrays.get("pictures", np.zeros(0))
        if pictures.dtype != np.uint8 or pictures.shape != (len(self._features), self.side_px, self.side_px, 3):
            msg = f"{len(self._features)} tiles in a saved model expected, found {pictures.dtype} {pictures.shape}: "
            raise InputError(msg + "copy the model again")
        self._pictures = pictures
