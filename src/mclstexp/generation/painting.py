"""Pictures of any size from a grid of features: windows that overlap, each told what its place asks for.

After Graikos and others (2312.07330): what windows say of clean values is averaged where they overlap, at every step.
A node of the grid belongs to the window whose upper left corner lies on it; between nodes features are turned from one
to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor

from mclstexp.core.errors import InputError
from mclstexp.nn.latent_diffusion import Denoiser, clean_guess, noise_kept, stops

_STRAIGHT: Final = 0.9995
"""Cosine from which on (or against which) there is no arc to go along."""
_WIDTH: Final = 0.8
"""Of the bell by which windows are laid into each other, in half windows."""


@dataclass(frozen=True)
class Windows:
    """Windows on a canvas whose sides are whole numbers of windows.

    Raises
    ------
    InputError
        If the stride is not between 1 and the window, or does not divide it.
    """

    rows: int
    """Of the grid of features: windows that fit below each other."""
    columns: int
    """Windows that fit side by side."""
    side: int
    """Of a window, on the canvas."""
    stride: int
    """From one window to the next; half the side, or a quarter, lets neighbours agree."""
    endless: bool = False
    """Whether windows reach over the right and lower edge to the left and upper one, as if the canvas had none."""

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.side or self.side % self.stride:
            msg = f"a stride that divides the window of {self.side} expected, found {self.stride}: give a half of it"
            raise InputError(msg)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the canvas."""
        return self.rows * self.side, self.columns * self.side

    @property
    def corners(self) -> Int[np.ndarray, "n 2"]:
        """Upper left corner (row, column) of each window, row by row."""
        beyond = 0 if self.endless else self.side - self.stride
        tops, lefts = (np.arange(0, extent - beyond, self.stride) for extent in self.size)
        return np.stack(np.meshgrid(tops, lefts, indexing="ij"), axis=-1).reshape(-1, 2)

    def features(self, grid: Float[np.ndarray, "rows columns dim"], *, raw: bool = False) -> Float[np.ndarray, "n dim"]:
        """Return what each window is told.

        Parameters
        ----------
        grid
            Features of each node.
        raw
            Turn vectors of unlike lengths as they are (as released, which warps the way), not at length one.
        """
        grid = np.asarray(grid, np.float64)
        if not raw:
            grid = _unit(grid)
        grid = np.pad(grid, [(0, 1), (0, 1), (0, 0)], mode="wrap" if self.endless else "edge")
        at = self.corners / self.side
        row, column = self.corners.T // self.side
        down, right = (at - self.corners // self.side).T
        above = turned(right, grid[row, column], grid[row, column + 1])
        below = turned(right, grid[row + 1, column], grid[row + 1, column + 1])
        return turned(down, above, below)


class Stop(NamedTuple):
    """One step on the way from noise to a picture."""

    time: float
    """What the network is told."""
    kept: float
    """Share of the signal there."""
    kept_next: float
    """At the next stop."""
    sd: float = 0.0
    """Of fresh noise that is added on the way."""


def plain_way(n_steps: int) -> list[Stop]:
    """Return the way without chance, with times as the network was taught them: 0 … 999."""
    kept, way = noise_kept(), [*stops(n_steps).tolist(), 0]
    return [Stop(at, float(kept[at]), float(kept[to])) for at, to in pairwise(way)]


def paint(
    denoise: Callable[[Tensor], Denoiser],
    start: Float[Tensor, "1 n_channels height width"],
    *,
    windows: Windows,
    way: Iterable[Stop],
    chunk: int = 64,
    fresh: Callable[[], Tensor] | None = None,
) -> Float[Tensor, "1 n_channels height width"]:
    """Go from noise to a canvas that agrees with itself wherever windows overlap.

    Parameters
    ----------
    denoise
        Returns the denoiser of the windows whose numbers it is given.
    start
        Standard normal numbers.
    windows
        Where windows lie; `start` is of their size.
    way
        Stops, see `plain_way`.
    chunk
        Windows that are looked at together: a matter of memory alone.
    fresh
        Draws noise like `start`, where a stop adds any.
    """
    values, corners = start, windows.corners
    numbers = torch.arange(len(corners)).split(chunk)
    for stop in way:
        clean, covered = torch.zeros_like(values), torch.zeros_like(values)
        for part in numbers:
            inside = [_inside(corners[i], windows.side, windows.size) for i in part.tolist()]
            crops = torch.cat([values[inside_one] for inside_one in inside])
            time = torch.full((len(crops),), stop.time, device=values.device)
            guesses = clean_guess(crops, denoise(part)(crops, time), stop.kept)
            for where, guess in zip(inside, guesses, strict=True):
                clean[where] += guess[None]
                covered[where] += 1
        clean = clean / covered
        noise = (values - stop.kept**0.5 * clean) / (1 - stop.kept) ** 0.5
        values = stop.kept_next**0.5 * clean + (1 - stop.kept_next - stop.sd**2) ** 0.5 * noise
        if stop.sd and fresh is not None:
            values = values + stop.sd * fresh()
    return values


def laid_together(
    decode: Callable[[Tensor], Tensor], canvas: Float[Tensor, "1 n_channels height width"], *, windows: Windows
) -> Float[np.ndarray, "height_px width_px 3"]:
    """Turn a canvas into a picture in [0, 1], window by window, each fading into its neighbours.

    Parameters
    ----------
    decode
        Pictures in [-1, 1] of windows of the canvas.
    canvas
        What `paint` returned.
    windows
        As there.
    """
    total = weight = bell = np.zeros(0)
    for corner in windows.corners:
        crop = canvas[_inside(corner, windows.side, windows.size)]
        picture = decode(crop)[0].movedim(0, -1).double().cpu().numpy()
        side_px = len(picture)
        factor = side_px // windows.side
        size_px = (windows.size[0] * factor, windows.size[1] * factor)
        if not len(bell):
            bell, total, weight = _bell(side_px), np.zeros((*size_px, 3)), np.zeros((*size_px, 1))
        where = _inside(corner * factor, side_px, size_px)[2:]
        total[where] += bell * picture
        weight[where] += bell
    return np.clip((total / weight + 1) / 2, 0, 1)


def turned(share: ArrayLike, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Go a share of the way from vectors `a` to `b` along the arc between them; straight where there is none."""
    share, cosine = np.asarray(share)[..., None], (_unit(a) * _unit(b)).sum(axis=-1, keepdims=True)
    angle = np.arccos(np.clip(cosine, -1, 1))
    along = np.abs(cosine) <= _STRAIGHT
    sine = np.where(along, np.sin(angle), 1)
    first = np.where(along, np.sin((1 - share) * angle) / sine, 1 - share)
    second = np.where(along, np.sin(share * angle) / sine, share)
    return first * a + second * b


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def _inside(corner: Int[np.ndarray, " 2"], side: int, size: tuple[int, int]) -> tuple[Any, ...]:
    """Return where a window lies in (1, n_channels, height, width); beyond an edge it goes on at the other."""
    rows, columns = ((start + np.arange(side)) % extent for start, extent in zip(corner, size, strict=True))
    return slice(None), slice(None), rows[:, None], columns


def _bell(side: int) -> Float[np.ndarray, "side side 1"]:
    at = np.linspace(-1, 1, side)
    return np.exp(-(at[:, None] ** 2 + at[None, :] ** 2) / _WIDTH**2)[..., None]
