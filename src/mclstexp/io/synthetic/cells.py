"""Cells of synthetic tissue: how many there are in each region, how they lie and how their nuclei look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Int
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from mclstexp.io.synthetic.fields import GRID_UM, look_up, scatter

GLASS = -1
"""Region number of what is not tissue."""


class Kind(IntEnum):
    """Kinds of cells, and of the regions they fill."""

    STROMA = 0
    TUMOUR = 1
    GLAND = 2
    IMMUNE = 3
    FAT = 4


@dataclass(frozen=True)
class Cells:
    """Cells by their nuclei: ellipses."""

    xy_um: Float[np.ndarray, "n 2"]
    kind: Int[np.ndarray, " n"]
    axes_um: Float[np.ndarray, "n 2"]
    """Long and short half axis."""
    angle: Float[np.ndarray, " n"]
    """Direction of the long axis, radians from x towards y."""
    dark: Float[np.ndarray, " n"]
    """How much haematoxylin the nucleus takes."""

    @classmethod
    def join(cls, parts: Sequence[Cells]) -> Cells:
        """Put cells together."""
        names = ("xy_um", "kind", "axes_um", "angle", "dark")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class Ring:
    """A gland or a vessel: a wall around a hollow, its outline waved."""

    centre_um: Float[np.ndarray, " 2"]
    radius_um: float
    is_gland: bool
    """Tall cells that stand radially, else flat ones that lie along the wall."""
    waves: Float[np.ndarray, "2 n"]
    """Amplitude and phase of the 2nd, 3rd … harmonic of the outline."""

    @classmethod
    def draw(cls, rng: Generator, centre_um: NDArray, *, is_gland: bool) -> Ring:
        """Draw a ring about a centre."""
        radius = rng.uniform(34, 52) if is_gland else rng.uniform(13, 27)
        waves = np.stack([rng.normal(0, [0.14, 0.08, 0.05, 0.03]), rng.uniform(0, 2 * np.pi, 4)])
        return cls(centre_um, radius, is_gland, waves)

    @property
    def kind(self) -> Kind:
        """What the wall is made of."""
        return Kind.GLAND if self.is_gland else Kind.STROMA

    @property
    def wall_um(self) -> float:
        """Thickness of the wall."""
        return 0.42 * self.radius_um if self.is_gland else 4.0

    def outline_um(self, theta: NDArray) -> NDArray:
        """Return the distance of the outline from the centre in each direction."""
        amplitude, phase = self.waves
        turns = np.arange(2, 2 + len(phase)) * theta[..., None] + phase
        return self.radius_um * (1 + (amplitude * np.cos(turns)).sum(axis=-1))

    def cells(self, rng: Generator) -> Cells:
        """Set cells into the wall."""
        n = int(2 * np.pi * self.radius_um / (5.2 if self.is_gland else 16))
        theta = (np.arange(n) + rng.normal(0, 0.2, n)) * 2 * np.pi / n
        deep = rng.normal(6.0, 1.8, n) if self.is_gland else np.full(n, 1.5)
        away = (self.outline_um(theta) - deep)[:, None]
        xy = self.centre_um + away * np.column_stack([np.cos(theta), np.sin(theta)])
        axes = np.array([5.0, 2.5] if self.is_gland else [6.0, 1.3])
        angle = theta + (0 if self.is_gland else np.pi / 2) + rng.normal(0, 0.12, n)
        return _cells(rng, self.kind, xy, axes=axes, angle=angle, dark=1.12 if self.is_gland else 1.3)


def fill(
    rng: Generator, region: NDArray[np.int8], *, grade: NDArray, fibre_um: NDArray, fat_wall_um: NDArray
) -> list[Cells]:
    """Fill each region with cells of its kind; `region` is `GLASS` in hollows too."""
    size_um = (region.shape[1] * GRID_UM, region.shape[0] * GRID_UM)

    def places(spacing_um: float, where: NDArray, share: float = 1.0) -> NDArray:
        xy = scatter(rng, size_um, spacing_um)
        return xy[look_up(where, xy) & (rng.random(len(xy)) < share)]

    tumour = places(11.0, region == Kind.TUMOUR)
    g = look_up(grade, tumour)[:, None]
    lymphocytes = places(8.0, region == Kind.IMMUNE)
    strays = places(24, np.isin(region, (Kind.STROMA, Kind.TUMOUR)), 0.22)
    immune = np.concatenate([lymphocytes, strays])
    spindle = places(19, region == Kind.STROMA)
    rim = places(7, (region == Kind.FAT) & (fat_wall_um < 3), 0.3)
    along, edge = _across(fibre_um[0]) + np.pi / 2, _across(fat_wall_um) + np.pi / 2
    return [
        _cells(rng, Kind.TUMOUR, tumour, axes=(3.3 + 2.3 * g) * [1.18, 0.9], angle=None, dark=0.68 + 0.4 * g[:, 0]),
        _cells(rng, Kind.IMMUNE, immune, axes=[2.9, 2.7], angle=None, dark=1.5),
        _cells(rng, Kind.STROMA, spindle, axes=[6.5, 1.5], angle=look_up(along, spindle), dark=1.1),
        _cells(rng, Kind.FAT, rim, axes=[4.2, 1.4], angle=look_up(edge, rim), dark=1.3),
    ]


def _cells(
    rng: Generator, kind: Kind, xy: NDArray, *, axes: ArrayLike, angle: NDArray | None, dark: ArrayLike
) -> Cells:
    """Make cells that differ a little; without an angle they lie in any direction."""
    n = len(xy)
    angle = rng.uniform(0, np.pi, n) if angle is None else angle + rng.normal(0, 0.15, n)
    axes = np.asarray(axes) * rng.lognormal(0, 0.13, (n, 2))
    return Cells(xy, np.full(n, int(kind)), axes, angle, np.asarray(dark) * rng.lognormal(0, 0.12, n))


def _across(field: NDArray) -> NDArray:
    """Return the direction in which a field rises, radians from x towards y."""
    down, right = np.gradient(field)
    return np.arctan2(down, right)
