"""Inside and around a tile: embeddings of its parts and of the tissue next to it, read from the slide's pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.nn.image_encoders import ImageEncoder
from mclstexp.sight.embed import embed_tiles, fixed_size_px

_STEPS_PER_PX: Final = 1024
_SMALLEST_PX: Final = 32  # of less, a network that halves five times leaves nothing


@dataclass(frozen=True, eq=False)
class Window:
    """The places around tiles, each once however many tiles it stands beside."""

    places: Tiles
    """Where to look; ids are running numbers."""
    index: Int[np.ndarray, "n_tiles n_places"]
    """For each tile the rows of `places` around it: upper left first, row by row, itself in the middle."""


def window_around(tiles: Tiles, *, n_side: int = 5, stride_um: float | None = None) -> Window:
    """Lay an `n_side` × `n_side` grid around each tile and find which places coincide.

    On a regular grid of tiles whose stride is `stride_um`, the places are the tiles and a rim: a whole slide costs
    little more than one embedding a tile. Where the tiles' pitch is another, nothing coincides.

    Parameters
    ----------
    tiles
        The tiles in the middle.
    n_side
        Places along a side; odd, so that there is a middle.
    stride_um
        Distance between places in µm; the tile's side (no overlap, no gap) by default.

    Returns
    -------
    Window
        Places are rounded to 1/1024 of a level-0 pixel, whichever tiles are asked: sums that differ in their last
        bits coincide, and the pixels read for a tile depend on itself alone.

    Raises
    ------
    InputError
        If `n_side` is not a positive odd number or the stride is not positive.
    """
    if n_side < 1 or n_side % 2 == 0:
        msg = f"a window of a positive odd number of tiles a side expected, found {n_side}: give 3 or 5"
        raise InputError(msg)
    stride_um = tiles.spec.size_um if stride_um is None else stride_um
    if not stride_um > 0:
        msg = f"stride must be a positive number of µm, found {stride_um!r}"
        raise InputError(msg)
    around = tiles.xy[:, None] + _grid(n_side) * (stride_um / tiles.slide.mpp)
    # binary fractions, for decimal ones would put many centres right between two of them
    rounded = np.round(around.reshape(-1, 2) * _STEPS_PER_PX).astype(np.int64)
    places, index = np.unique(rounded, axis=0, return_inverse=True)
    return Window(
        places=replace(tiles, xy=places / _STEPS_PER_PX, ids=np.arange(len(places)).astype(np.str_), array_xy=None),
        index=index.reshape(len(tiles), n_side**2),
    )


def embed_window(
    tiles: Tiles,
    encoder: str | ImageEncoder,
    *,
    n_side: int = 5,
    stride_um: float | None = None,
    progress: bool = True,
) -> Float[np.ndarray, "n_tiles n_places dim"]:
    """Embed the tiles around each tile; white outside the slide, as `Slide.read` has it.

    Each tile holds n_side² embeddings in memory: over a whole slide embed `window_around(…).places` and gather by
    its index, batch by batch.

    Parameters
    ----------
    tiles, n_side, stride_um
        See `window_around`.
    encoder, progress
        See `embed_tiles`; a name is cached.

    Returns
    -------
    (n_tiles, n_side², dim) float32: upper left first, row by row. The tile itself is number n_side² // 2.
    """
    window = window_around(tiles, n_side=n_side, stride_um=stride_um)
    return embed_tiles(window.places, encoder, progress=progress)[window.index]


def embed_subtiles(
    tiles: Tiles, encoder: str | ImageEncoder, *, n_side: int = 3, progress: bool = True
) -> Float[np.ndarray, "n_tiles n_parts dim"]:
    """Cut each tile into `n_side` × `n_side` parts and embed them.

    Parts keep the tile's scale where the encoder takes their size, and are enlarged to the size it takes otherwise.
    A side that does not divide loses its last pixels, half of them at either edge.

    Parameters
    ----------
    tiles
        Tiles to cut.
    encoder, progress
        See `embed_tiles`; a name is cached.
    n_side
        Parts along a side.

    Returns
    -------
    (n_tiles, n_side², dim) float32: upper left first, row by row.

    Raises
    ------
    InputError
        If `n_side` is not positive.
    """
    embedded = embed_tiles(parts_of(tiles, encoder, n_side=n_side), encoder, progress=progress)
    return embedded.reshape(len(tiles), n_side**2, embedded.shape[1])


def parts_of(tiles: Tiles, encoder: str | ImageEncoder, *, n_side: int = 3) -> Tiles:
    """Cut each tile into `n_side` × `n_side` parts, each a tile of its own: see `embed_subtiles`.

    Returns
    -------
    n_tiles · n_side² tiles: those of the first tile, upper left first, row by row, then those of the second.

    Raises
    ------
    InputError
        If `n_side` is not positive.
    """
    if n_side < 1:
        msg = f"a positive number of parts a side expected, found {n_side}"
        raise InputError(msg)
    spec = _part_spec(tiles.spec, n_side=n_side, size_px=fixed_size_px(encoder))
    xy = tiles.xy[:, None] + _grid(n_side) * (spec.size_um / tiles.slide.mpp)
    ids = np.char.add(np.repeat(tiles.ids, n_side**2), np.tile([f" part {i}" for i in range(n_side**2)], len(tiles)))
    return Tiles(slide=tiles.slide, xy=xy.reshape(-1, 2), ids=ids, spec=spec)


def _part_spec(spec: TileSpec, *, n_side: int, size_px: int | None) -> TileSpec:
    whole = spec.size_px // n_side
    if size_px is None and whole >= _SMALLEST_PX:
        return TileSpec(whole, spec.mpp)
    size_px = size_px or _SMALLEST_PX
    return TileSpec(size_px, spec.size_um / n_side / size_px)


def _grid(n_side: int) -> NDArray[np.float64]:
    """(n_side², 2) steps from the middle, (column, row): upper left first, row by row."""
    steps = np.arange(n_side) - (n_side - 1) / 2
    rows, columns = np.meshgrid(steps, steps, indexing="ij")
    return np.column_stack([columns.ravel(), rows.ravel()])
