"""One gene of a slide as an OME-TIFF that lies on the slide by its physical size."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from jaxtyping import Float32
from numpy.typing import ArrayLike, NDArray

from mclstexp.core import identity
from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path

_TILE_PX: Final = 256
_LARGE_PX: Final = 2048
"""Side beyond which viewers are given smaller copies."""
_OURS: Final = uuid.UUID("6f7a2c1e-3f0b-5d5e-9a55-3d0b6b1f8c24")
"""Within which our files' UUIDs are unique."""


def write_heatmap(
    values: ArrayLike,
    array_xy: ArrayLike,
    *,
    stride_um: float,
    gene: str,
    path: Path,
    slide_size_um: tuple[float, float] | None = None,
) -> Path:
    """Write one value per tile as an image with one pixel per place of the grid.

    Parameters
    ----------
    values
        (n_tiles,) what.
    array_xy
        (n_tiles, 2) whole numbers (column, row) on the grid of `Tiles.grid`, whose centres lie at
        ((column + 0.5) · stride, (row + 0.5) · stride) µm.
    stride_um
        Distance between centres, the side of a pixel. The image's upper left corner is the slide's.
    gene
        Name of the channel.
    path
        The file (``.ome.tif``), which appears whole or not at all.
    slide_size_um
        (width, height) of the slide, which the image then covers; it ends at the last tile by default.

    Returns
    -------
    `path`: float32, NaN where there is no tile; tiled, deflated, with a pyramid only beyond 2048 pixels.

    Raises
    ------
    InputError
        If there is not one place per value, a place is no whole number from 0, or two values share one.
    """
    levels = [_raster(values, array_xy, _size_px(slide_size_um, stride_um))]
    while max(levels[-1].shape) > _LARGE_PX:
        levels.append(_halved(levels[-1]))
    look: dict[str, Any] = {"tile": (_TILE_PX, _TILE_PX), "compression": "zlib", "photometric": "minisblack"}
    said = {
        "axes": "YX",
        "Name": gene,
        "PhysicalSizeX": stride_um,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": stride_um,
        "PhysicalSizeYUnit": "µm",
        "Channel": {"Name": gene},
        "UUID": str(uuid.uuid5(_OURS, identity.of("heatmap", gene, stride_um, levels[0]))),  # equal images, equal files
    }
    with atomic_path(path) as temporary, tifffile.TiffWriter(temporary, ome=True) as tiff:
        for number, level in enumerate(levels):
            side_cm = stride_um * 1e-4 * 2**number  # for readers of plain TIFF
            first: dict[str, Any] = (
                {"subifds": len(levels) - 1, "metadata": said} if number == 0 else {"subfiletype": 1}
            )
            tiff.write(level, resolution=(1 / side_cm, 1 / side_cm), resolutionunit="CENTIMETER", **look, **first)
    return Path(path)


def _size_px(slide_size_um: tuple[float, float] | None, stride_um: float) -> tuple[int, int]:
    """Return (columns, rows) that cover the slide; a sliver of a thousandth of a pixel is rounding."""
    if slide_size_um is None:
        return 0, 0
    width, height = (int(np.ceil(side / stride_um - 1e-3)) for side in slide_size_um)
    return width, height


def _raster(values: ArrayLike, array_xy: ArrayLike, size_px: tuple[int, int]) -> Float32[np.ndarray, "rows columns"]:
    values, given = np.asarray(values, np.float32), np.asarray(array_xy)
    if values.ndim != 1 or given.shape != (len(values), 2) or len(values) == 0:
        msg = f"one (column, row) per value expected for a heatmap, found shapes {given.shape} and {values.shape}"
        raise InputError(msg)
    places: NDArray[np.int_] = given.astype(int)
    if (places != given).any() or (places < 0).any():
        bad = given[(places != given).any(axis=1) | (places < 0).any(axis=1)][0]
        msg = f"places of the grid must be whole numbers from 0, found {bad.tolist()}: a heatmap needs tiles of a grid"
        raise InputError(msg)
    columns, rows = places.T
    raster = np.full((max(rows.max() + 1, size_px[1]), max(columns.max() + 1, size_px[0])), np.nan, np.float32)
    if len(np.unique(rows * raster.shape[1] + columns)) < len(values):
        msg = "one tile per place of the grid expected for a heatmap, found places with several: give each tile its own"
        raise InputError(msg)
    raster[rows, columns] = values
    return raster


def _halved(level: Float32[np.ndarray, "rows columns"]) -> Float32[np.ndarray, "half_rows half_columns"]:
    """Average 2 × 2 pixels over those that have a value."""
    grown = np.pad(level, [(0, side % 2) for side in level.shape], constant_values=np.nan)
    parts = np.stack([grown[y::2, x::2] for y in (0, 1) for x in (0, 1)])
    known = np.isfinite(parts)
    total = np.where(known, parts, 0).sum(axis=0)
    n = known.sum(axis=0)
    return np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)
