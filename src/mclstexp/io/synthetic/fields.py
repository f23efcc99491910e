"""Random fields and places, the raw material of synthetic tissue. Lengths are in µm."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

GRID_UM = 2.0
"""Spacing of the grid on which tissue is planned."""


def smooth_field(
    rng: Generator, shape: tuple[int, ...], length_um: float, *, grid_um: float = GRID_UM
) -> NDArray[np.float32]:
    """Draw a Gaussian random field of mean 0, standard deviation 1 and correlation length `length_um`.

    It is drawn coarsely and enlarged, so that long lengths cost no more than short ones.
    """
    step = max(1, int(length_um / grid_um / 4))
    rim = 4  # cells that the enlargement spoils
    coarse = tuple(-(-n // step) + 2 * rim + 1 for n in shape)
    field = ndimage.gaussian_filter(rng.standard_normal(coarse, np.float32), length_um / grid_um / step / 2)
    field = (field - field.mean()) / field.std()
    large = enlarge(field, (coarse[0] * step, coarse[1] * step))
    return large[rim * step : rim * step + shape[0], rim * step : rim * step + shape[1]]


def enlarge(grid: NDArray, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Resample a grid to (rows, columns), smoothly."""
    picture = Image.fromarray(grid.astype(np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def soften(mask: NDArray) -> NDArray[np.float32]:
    """Give a mask of the grid an edge a few µm wide."""
    return ndimage.gaussian_filter(mask.astype(np.float32), 1.2)


def spread_evenly(field: NDArray) -> NDArray[np.float32]:
    """Map a field to 0 … 1, every value equally common."""
    return (np.argsort(np.argsort(field, axis=None)) / field.size).reshape(field.shape).astype(np.float32)


def scatter(rng: Generator, size_um: tuple[float, float], spacing_um: float) -> NDArray[np.float64]:
    """Return places (n, 2) of a hexagonal grid, shaken: as even as cells that push each other aside."""
    n_rows, n_columns = int(size_um[1] / spacing_um / 0.866), int(size_um[0] / spacing_um)
    row, column = (a.ravel() for a in np.mgrid[:n_rows, :n_columns])
    xy = np.column_stack([column + 0.25 + 0.5 * (row % 2), 0.866 * (row + 0.5)]) * spacing_um
    xy = xy + rng.normal(0, 0.17 * spacing_um, xy.shape)
    return np.clip(xy, 0, np.array(size_um) - 1e-3)


def look_up(grid: NDArray, xy_um: NDArray) -> NDArray:
    """Return the values of `grid` at places (n, 2)."""
    column, row = np.clip((xy_um / GRID_UM).astype(int), 0, [grid.shape[1] - 1, grid.shape[0] - 1]).T
    return grid[row, column]
