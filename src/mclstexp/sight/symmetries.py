"""Tiles turned and mirrored: tissue has no upright, so a tile may be looked at in eight ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.nn.image_encoders import ImageEncoder
from mclstexp.sight.embed import embed_tiles

N_SYMMETRIES: Final = 8
"""Quarter turns of a square, and the same mirrored."""


class TurnedSlide(Slide):
    """A slide on which every tile is read turned or mirrored in its place; the places stay where they are.

    Parameters
    ----------
    slide
        Where the pixels come from.
    number
        Which symmetry, from 0 to 7: `number` % 4 quarter turns counter-clockwise, mirrored left to right from 4 on.
    """

    def __init__(self, slide: Slide, *, number: int) -> None:
        self.id, self.mpp, self.size_px, self.stored = slide.id, slide.mpp, slide.size_px, slide.stored
        self._slide, self._number = slide, _checked(number)

    def stored_xy(self) -> NDArray[np.float64]:
        """See `Slide.stored_xy`."""
        return self._slide.stored_xy()

    def read(self, xy: ArrayLike, spec: TileSpec) -> NDArray[np.uint8]:
        """Read the tile of `spec` centred on `xy`, turned."""
        turned = np.rot90(self._slide.read(xy, spec), self._number % 4)
        return np.ascontiguousarray(turned[:, ::-1] if self._number >= 4 else turned)

    def thumbnail(self, max_size_px: int) -> NDArray[np.uint8]:
        """Return the slide as it lies: tiles are turned, not the slide."""
        return self._slide.thumbnail(max_size_px)

    def fingerprint(self) -> str:
        """Return a hash of the slide and the symmetry, so that no cache takes a turned tile for an upright one."""
        return f"{self._slide.fingerprint()}, symmetry {self._number}"


def turned(tiles: Tiles, *, number: int) -> Tiles:
    """Return the same places, each tile read in symmetry `number` (see `TurnedSlide`); number 0 leaves it as it is.

    Raises
    ------
    InputError
        If `number` is not from 0 to 7.
    """
    return replace(tiles, slide=TurnedSlide(tiles.slide, number=number)) if _checked(number) else tiles


def embed_symmetries(
    tiles: Tiles, encoder: str | ImageEncoder, *, progress: bool = True
) -> Float[np.ndarray, "n_tiles 8 dim"]:
    """Embed every tile in its eight symmetries: eight times the work of `embed_tiles`, cached like it.

    Parameters
    ----------
    tiles
        Where to look.
    encoder, progress
        See `embed_tiles`; a name is cached, the upright tile under the same key as ever.

    Returns
    -------
    (n_tiles, 8, dim) float32; number 0 is the tile as it lies, the others as `TurnedSlide` numbers them.
    """
    ways = [embed_tiles(turned(tiles, number=n), encoder, progress=progress) for n in range(N_SYMMETRIES)]
    return np.stack(ways, axis=1)


def _checked(number: int) -> int:
    if not 0 <= number < N_SYMMETRIES:
        msg = f"a symmetry from 0 to {N_SYMMETRIES - 1} expected, found {number}"
        raise InputError(msg)
    return number
