"""`Placement`: a map of the plane that moves spots, and what it is called."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Placement:
    """Where spots go: xy becomes matrix · xy + shift, in pixels of the image."""

    matrix: tuple[tuple[float, float], tuple[float, float]] = ((1.0, 0.0), (0.0, 1.0))
    """Turn, mirror and stretch."""
    shift_px: tuple[float, float] = (0.0, 0.0)
    """Of the image's origin (column, row)."""

    @classmethod
    def about(cls, linear: ArrayLike, centre: ArrayLike, shift_px: ArrayLike = (0.0, 0.0)) -> Self:
        """Apply a linear map around `centre`, then shift by `shift_px`."""
        linear, centre = np.asarray(linear, np.float64), np.asarray(centre, np.float64)
        moved = centre + np.asarray(shift_px, np.float64) - linear @ centre
        (a, b), (c, d) = linear.tolist()
        return cls(((a, b), (c, d)), (float(moved[0]), float(moved[1])))

    @classmethod
    def fitted(cls, xy: Float[np.ndarray, "n 2"], goal: Float[np.ndarray, "n 2"]) -> Self:
        """Fit an affine map that takes `xy` to `goal`, by least squares; three points that span a plane suffice."""
        solved, *_ = np.linalg.lstsq(np.column_stack([xy, np.ones(len(xy))]), goal, rcond=None)
        return cls.about(solved[:2].T, np.zeros(2), solved[2])

    def __call__(self, xy: ArrayLike) -> Float[np.ndarray, "n 2"]:
        """Move (n, 2) places."""
        return np.asarray(xy, np.float64) @ np.array(self.matrix).T + np.array(self.shift_px)

    @property
    def is_identity(self) -> bool:
        """Whether it moves nothing."""
        return self == Placement()

    @property
    def mirrored(self) -> bool:
        """Whether left and right change places."""
        return bool(np.linalg.det(np.array(self.matrix)) < 0)

    @property
    def turn_deg(self) -> float:
        """Angle by which it turns, clockwise as seen on the image, after a mirror left to right if it has one."""
        first = np.array(self.matrix) @ np.diag([-1.0 if self.mirrored else 1.0, 1.0])
        u, _, v = np.linalg.svd(first)
        rotation = u @ v
        return math.degrees(math.atan2(rotation[1, 0], rotation[0, 0]))

    @property
    def stretch(self) -> tuple[float, float]:
        """By how much it makes things longer, along the direction where it does so most and least."""
        most, least = np.linalg.svd(np.array(self.matrix), compute_uv=False)
        return float(most), float(least)

    def text(self, *, centre: ArrayLike, mpp: float) -> str:
        """Say in words what it does to spots around `centre`."""
        if self.is_identity:
            return "as they are"
        parts = ["mirrored left to right"] if self.mirrored else []
        if abs(self.turn_deg) >= 0.05:
            parts.append(f"turned by {self.turn_deg:.1f}°")
        if max(abs(length - 1) for length in self.stretch) >= 0.001:
            parts.append(f"stretched by {self.stretch[0]:.3f} and {self.stretch[1]:.3f}")
        right, down = (self(np.asarray(centre, np.float64)[None])[0] - np.asarray(centre)) * mpp
        if max(abs(right), abs(down)) >= 0.5:
            parts.append(f"their middle moved by {right:.0f} µm to the right and {down:.0f} µm down")
        return ", ".join(parts) or "moved by less than a micrometre"


def rotation(degrees: float) -> Float[np.ndarray, "2 2"]:
    """Turn clockwise on an image, whose rows count downwards."""
    angle = math.radians(degrees)
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def symmetries(size_px: tuple[int, int]) -> list[Placement]:
    """Return the identity and what undoes the seven turns and mirrors that keep an image's axes.

    Where a program turned a picture by a quarter clockwise, (column, row) became (height - row, column).
    """
    width, height = (float(side) for side in size_px)
    return [
        Placement(),
        Placement(((-1.0, 0.0), (0.0, 1.0)), (width, 0.0)),
        Placement(((1.0, 0.0), (0.0, -1.0)), (0.0, height)),
        Placement(((-1.0, 0.0), (0.0, -1.0)), (width, height)),
        Placement(((0.0, 1.0), (1.0, 0.0)), (0.0, 0.0)),
        Placement(((0.0, -1.0), (1.0, 0.0)), (width, 0.0)),
        Placement(((0.0, 1.0), (-1.0, 0.0)), (0.0, height)),
        Placement(((0.0, -1.0), (-1.0, 0.0)), (width, height)),
    ]
