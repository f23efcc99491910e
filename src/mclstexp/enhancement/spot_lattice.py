"""The lattice that spots lie on, be it square, hexagonal or a part of either."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from mclstexp.core.errors import InputError
from mclstexp.core.fine_lattice import affine, array_places, off_even
from mclstexp.core.tiles import Tiles

MOST_CELLS: Final = 16
"""Places of a lattice for each spot on it, at most."""


@dataclass(frozen=True, eq=False)
class SpotLattice:
    """Where each spot lies on the coarsest lattice that has a place for all of them."""

    array: Int[np.ndarray, "n_spots 2"]
    """(array column, array row) of the spots; of a staggered array so that both are even, or odd, together."""
    basis: Int[np.ndarray, "2 2"]
    """The two steps of the lattice, short ones, in steps of the array."""
    cell: Int[np.ndarray, "n_spots 2"]
    """Steps along both from the lattice's first place."""
    step_px: Float[np.ndarray, "2 2"]
    """The same steps in pixels of the slide."""
    origin_px: Float[np.ndarray, " 2"]
    """Its first place."""

    @property
    def sides(self) -> tuple[int, int]:
        """Number of places along the (second, first) step: rows and columns of a map."""
        width, height = self.cell.max(axis=0) + 1
        return int(height), int(width)

    @property
    def staggered(self) -> bool:
        """Whether it is all of an array whose rows are shifted against each other, as Visium's."""
        (a, b), (c, d) = self.basis
        return bool(abs(a * d - b * c) == 2 and (self.basis.sum(axis=1) % 2 == 0).all())

    def px(self, places: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Return where on the slide places lie that are given in steps of the lattice."""
        return places @ self.step_px + self.origin_px


def spot_lattice(spots: Tiles) -> SpotLattice:
    """Find the lattice of the spots by their array coordinates; every second spot of an array is on one as well.

    Raises
    ------
    InputError
        If there are none, or so few of the lattice's places have a spot that it is none.
    """
    array = array_places(spots)
    array = array - off_even(array)
    apart = array - array[0]
    step_px = affine(array, spots.xy)[:2]
    basis = _short(_steps(apart), step_px)
    cell = np.rint(apart @ np.linalg.inv(basis)).astype(np.int64)
    cell -= cell.min(axis=0)
    n_cells = int((cell.max(axis=0) + 1).prod())
    if n_cells > MOST_CELLS * len(cell):
        msg = (
            f"{spots.slide.id}: spots on a lattice expected, found {len(cell)} spread over {n_cells} places of one: "
            "use the method kriging, which needs none"
        )
        raise InputError(msg)
    onto = affine(cell, spots.xy)
    return SpotLattice(array, basis, cell, onto[:2], onto[2])


def _steps(apart: Int[np.ndarray, "n 2"]) -> Int[np.ndarray, "2 2"]:
    """Return two steps, of which every difference is made (Hermite's normal form)."""
    across, (along, down) = 0, (0, 0)
    for x, y in apart.tolist():
        while y:  # Euclid's algorithm on rows
            times = down // y
            along, down, x, y = x, y, along - times * x, down - times * y  # noqa: PLW2901
        across = gcd(across, x)
    return np.array([[across, 0], [along % across, down]])


def _short(basis: Int[np.ndarray, "2 2"], step_px: Float[np.ndarray, "2 2"]) -> Int[np.ndarray, "2 2"]:
    """Return the two shortest steps of the same lattice on the slide (Gauss and Lagrange), the first along columns."""
    one, other = basis
    while True:
        if np.linalg.norm(other @ step_px) < np.linalg.norm(one @ step_px):
            one, other = other, one
        first, second = one @ step_px, other @ step_px
        times = round(0.999 * float(first @ second) / float(first @ first))  # half a step is as short either way
        if times == 0:
            break
        other = other - times * one
    if abs(one[0]) < abs(other[0]):
        one, other = other, one
    return np.stack([one if one[0] > 0 else -one, other if other[1] > 0 else -other])
