"""A lattice finer than the array, with places only where spots all around say that there is tissue."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy.typing import NDArray

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles

FINEST: Final = 8
"""Most parts that a step of the array is cut into."""
_CORNERS: Final = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
_OF_FOUR: Final = 3
"""Corners of a square that must be spots for a place inside it."""
_OFF: Final = 0.25
"""Steps that spots may lie off their place, in the median: her2st's do by 0.07, and are on an array all the same."""

Steps = NDArray[np.int64]
"""(n, 2) whole steps along both axes."""


def fine_tiles(spots: Tiles, *, factor: int) -> Tiles:
    """Return the spots and, between them, the places of a finer lattice.

    A place on the line between two neighbours needs both; one inside a triangle of a hexagonal array all three; one
    inside a square three of four.

    Parameters
    ----------
    spots
        On a square array, or on a hexagonal one as Visium's, whose columns are two apart within a row.
    factor
        Parts of a step, 2 … 8.

    Returns
    -------
    Tiles of the same slide and spec: first the spots, then the places by array row and column. Their array coordinates
    are those of the array, fractions between its spots.

    Raises
    ------
    InputError
        If the spots lie on no array, or `factor` is another number.
    """
    if isinstance(factor, bool) or not (isinstance(factor, int) and 2 <= factor <= FINEST):
        msg = f"{word('factor')} of 2 to {FINEST} expected, found {factor}: it is how many times finer the lattice is"
        raise InputError(msg)
    array_xy = array_places(spots)
    hexagonal, shift = is_staggered(array_xy), off_even(array_xy)
    steps = _axial(array_xy - shift) if hexagonal else array_xy
    fine = _between(steps, factor=factor, hexagonal=hexagonal) / factor
    fine = np.column_stack([2 * fine[:, 0] + fine[:, 1], fine[:, 1]]) + shift if hexagonal else fine
    fine = fine[np.lexsort((fine[:, 0], fine[:, 1]))]
    ids = [f"{row:g}x{column:g}" for column, row in fine.round(6)]
    return Tiles(
        slide=spots.slide,
        xy=np.concatenate([spots.xy, _at(fine, affine(array_xy, spots.xy))]),
        ids=np.concatenate([spots.ids, ids]),
        spec=spots.spec,
        array_xy=np.concatenate([array_xy, fine]),
    )


def is_staggered(array_xy: Shaped[np.ndarray, "n 2"]) -> bool:
    """Whether an array's rows are shifted against each other, as Visium's: columns are two apart within a row.

    All columns then differ from their rows by an even number, or, where an array is counted from another corner, by an
    odd one.
    """
    apart = np.rint(array_xy[:, 0]) - np.rint(array_xy[:, 1])
    return bool((apart % 2 == apart[0] % 2).all())


def off_even(array_xy: Steps) -> Int[np.ndarray, " 2"]:
    """Return how far a staggered array is from one whose columns and rows are even, or odd, together."""
    return np.array([(array_xy[0, 0] - array_xy[0, 1]) % 2 if is_staggered(array_xy) else 0, 0])


def array_places(spots: Tiles) -> Steps:
    """Return whole (array column, array row); spots that were measured a little off their place are on it.

    Raises
    ------
    InputError
        If there are none, two spots share one, all lie on one line, or the spots lie elsewhere on the slide than their
        array coordinates say.
    """
    msg = f"{spots.slide.id}: spots on a square or hexagonal array expected, found {{}}: give a section on an array"
    if spots.array_xy is None:
        raise InputError(msg.format("no array coordinates"))
    if not np.isfinite(spots.array_xy).all():
        raise InputError(msg.format("array coordinates that are no numbers"))
    array_xy = np.rint(spots.array_xy).astype(np.int64)
    if len(np.unique(array_xy, axis=0)) < len(array_xy):
        raise InputError(msg.format("two spots at one place of it"))
    if np.linalg.matrix_rank(array_xy - array_xy.mean(axis=0)) < 2:
        raise InputError(msg.format("all spots on one line"))
    linear = affine(array_xy, spots.xy)
    off = np.linalg.norm(spots.xy - _at(array_xy, linear), axis=1) / np.linalg.norm(linear[:2], axis=1).min()
    if not np.median(off) < _OFF:
        found = f"array coordinates that lie {np.median(off):.1f} steps from where the spots are on the slide"
        raise InputError(msg.format(found))
    return array_xy


def _axial(array_xy: Steps) -> Steps:
    """Count a hexagonal array along two of its three axes: along the row, and down to the right."""
    return np.column_stack([(array_xy[:, 0] - array_xy[:, 1]) // 2, array_xy[:, 1]])


def _between(steps: Steps, *, factor: int, hexagonal: bool) -> Steps:
    """Return the places between spots, in parts of a step."""
    cells = np.unique(np.concatenate([steps - corner for corner in _CORNERS]), axis=0)
    there = np.stack([_is_in(cells + corner, steps) for corner in _CORNERS], axis=1)
    found = []
    for i in range(factor):
        for j in range(factor):
            if (i, j) == (0, 0):
                continue
            needed = _weights(i / factor, j / factor, hexagonal=hexagonal) > 0
            least = _OF_FOUR if needed.all() else int(needed.sum())
            found.append(cells[there[:, needed].sum(axis=1) >= least] * factor + [i, j])
    return np.concatenate(found)


def _weights(u: float, v: float, *, hexagonal: bool) -> Float[np.ndarray, " 4"]:
    """Return what each of `_CORNERS` has in a place at (u, v) of a cell; the short diagonal parts a hexagonal cell."""
    if not hexagonal:
        return np.array([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v])
    over = round(u + v - 1, 9)
    return np.array([-over, u, v, 0]) if over <= 0 else np.array([0, 1 - v, 1 - u, over])


def _is_in(places: Int[np.ndarray, "n 2"], spots: Int[np.ndarray, "m 2"]) -> Bool[np.ndarray, " n"]:
    low = np.minimum(places.min(axis=0), spots.min(axis=0))
    width = int(max(places[:, 0].max(), spots[:, 0].max()) - low[0] + 1)
    one, other = ((at - low) @ [1, width] for at in (places, spots))
    return np.isin(one, other)


def affine(array_xy: Int[np.ndarray, "n 2"], xy: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "3 2"]:
    """Fit the affine map that lays the array onto the slide."""
    return np.linalg.lstsq(np.column_stack([array_xy, np.ones(len(xy))]), xy, rcond=None)[0]


def _at(array_xy: Shaped[np.ndarray, "n 2"], linear: Float[np.ndarray, "3 2"]) -> Float[np.ndarray, "n 2"]:
    """Return where on the slide places of the array lie."""
    return np.column_stack([array_xy, np.ones(len(array_xy))]) @ linear
