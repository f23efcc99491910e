"""Pictures of tiles as generators learn, keep and return them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from mclstexp.core.tiles import Tiles, TileSpec

_N_READERS: Final = 4


def pictures_of_tiles(tiles: Tiles, spec: TileSpec) -> UInt8[np.ndarray, "n side side 3"]:
    """Read tiles at another size and scale, all of them into memory."""
    with ThreadPoolExecutor(_N_READERS) as pool:
        return np.stack([*pool.map(tiles.with_spec(spec).read, range(len(tiles)))])


def to_bytes(pictures: Float[Tensor, "n 3 side side"]) -> UInt8[np.ndarray, "n side side 3"]:
    """Return pictures in [-1, 1] as bytes, channels last; what lies beyond is cut off."""
    values = ((pictures.clamp(-1, 1) + 1) * 127.5).round().movedim(1, -1)
    return values.cpu().numpy().astype(np.uint8)
