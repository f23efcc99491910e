"""Tiles of a slide in blocks, each with the rim that its predictions look at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles

WHOLE_SLIDE_TILES = 10_000
"""So many tiles at once are a method's whose every tile looks at all others: its memory grows with their square."""


@dataclass(frozen=True, eq=False)
class Block:
    """Rows of the slide's tiles."""

    number: int
    rows: Int[np.ndarray, " n_rows"]
    """What the block is asked for, ascending."""
    rim: Int[np.ndarray, " n_rim"]
    """Other tiles within the context of these, ascending."""


def cut(tiles: Tiles, *, n_tiles: int, context_um: float) -> list[Block]:
    """Cut a slide's tiles into blocks of about `n_tiles` neighbours; the same tiles are always cut alike.

    Without context blocks follow the order of rows and columns. With it they are squares, whose rims are short.

    Raises
    ------
    InputError
        If every tile looks at all others and there are more than memory holds.
    """
    if math.isinf(context_um):
        if len(tiles) > WHOLE_SLIDE_TILES:
            msg = (
                f"{tiles.slide.id}: at most {WHOLE_SLIDE_TILES} tiles expected by a method that looks at the whole "
                f"slide at once, found {len(tiles)}: give a larger stride, a mask, or a model of another method"
            )
            raise InputError(msg)
        return [Block(0, np.arange(len(tiles)), np.zeros(0, int))]
    order = np.lexsort((tiles.xy[:, 0], tiles.xy[:, 1])) if context_um == 0 else _by_squares(tiles.xy, n_tiles)
    rows = [np.sort(order[start : start + n_tiles]) for start in range(0, len(order), n_tiles)]
    rims = _rims(tiles.xy, rows, reach=context_um / tiles.slide.mpp)
    return [Block(number, *pair) for number, pair in enumerate(zip(rows, rims, strict=True))]


def _by_squares(xy: NDArray[np.float64], n_tiles: int) -> NDArray[np.int_]:
    """Order places square by square, `n_tiles` in a full one, the squares row by row."""
    low = xy.min(axis=0)
    apart, _ = cKDTree(xy).query(xy, k=[2]) if len(xy) > 1 else (np.ones((1, 1)), None)
    side = max(float(np.median(apart)), 1e-9) * math.sqrt(n_tiles)
    column, row = ((xy - low) / side + 1e-6).astype(int).T
    return np.lexsort((xy[:, 0], xy[:, 1], column, row))


def _rims(xy: NDArray[np.float64], blocks: list[NDArray[np.int_]], *, reach: float) -> Iterator[NDArray[np.int_]]:
    """Find for each block the other places within `reach` (pixels) of one of its own."""
    if reach == 0:
        yield from (np.zeros(0, int) for _ in blocks)
        return
    by_row = np.argsort(xy[:, 1], kind="stable")
    heights = xy[by_row, 1]
    for rows in blocks:
        low, high = xy[rows].min(axis=0) - reach, xy[rows].max(axis=0) + reach
        near = by_row[np.searchsorted(heights, low[1]) : np.searchsorted(heights, high[1], side="right")]
        near = near[(xy[near, 0] >= low[0]) & (xy[near, 0] <= high[0])]
        near = np.setdiff1d(near, rows)
        # a little more than asked: what lies right on the edge must not depend on rounding
        distance, _ = cKDTree(xy[rows]).query(xy[near], distance_upper_bound=reach * (1 + 1e-9) + 1e-6)
        yield near[np.isfinite(distance)]
