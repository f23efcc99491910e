"""MERSCOPE: a region's folder with ``cell_by_gene.csv``, ``cell_metadata.csv`` and the matrix from µm to the mosaic."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float

from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.io.guard import guarded, reading
from mclstexp.io.imaging.cells import Cells, Wanted, section_of
from mclstexp.io.imaging.controls import without_controls
from mclstexp.io.imaging.pooling import Lattice
from mclstexp.io.imaging.tables import read_counts, read_places, require_all
from mclstexp.io.spaceranger import sample_name
from mclstexp.io.tables import read_text

_COUNTS: Final = "cell_by_gene.csv"
_PLACES: Final = "cell_metadata.csv"
_MATRIX: Final = "micron_to_mosaic_pixel_transform.csv"
_CENTRES: Final = ["center_x", "center_y"]


def looks_like_merscope(path: Path | str) -> bool:
    """Whether `path` is a region's folder of MERSCOPE."""
    path = Path(path)
    return (path / _COUNTS).is_file() and (path / _PLACES).is_file()


@guarded("a MERSCOPE region's folder")
def read_merscope(
    path: Path | str,
    *,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    image: Path | str | None = None,
    alignment: Path | str | None = None,
    pool_um: float | None = None,
    lattice: Lattice | None = None,
) -> Section:
    """Read a MERSCOPE section, its cells pooled into pseudo-spots, on an H&E image of the same tissue.

    Parameters
    ----------
    path
        The region's folder: counts, centres of cells in µm and ``images/micron_to_mosaic_pixel_transform.csv``.
    spec, mpp
        As for `read_visium`.
    image, alignment
        The H&E image (MERSCOPE makes none) and the table of 3 by 3 numbers from its pixels to those of the mosaic;
        without one it is taken to show the mosaic's field.
    pool_um, lattice
        As for `read_xenium`.

    Raises
    ------
    InputError
        If a file is absent or damaged, cells and counts do not belong together, the matrix turns or mirrors, or there
        is no H&E image.
    """
    folder = Path(path)
    name = sample_name(folder)
    counts = without_controls(read_counts(folder / _COUNTS, names=()), where=name)
    places = read_places(folder / _PLACES, names=(), columns=_CENTRES, optional=["volume"])
    require_all(counts.obs_names, places.index, where=name)
    places = places.loc[counts.obs_names]
    scale, shift_px = _mosaic(folder)
    cells = Cells(
        name=name,
        counts=counts,
        xy_um=places[_CENTRES].to_numpy(np.float64),
        frame_mpp=1 / scale,
        # of the sphere of a cell's volume
        diameter_um=float((6 / math.pi * places["volume"].median()) ** (1 / 3)) if "volume" in places else None,
        where=folder,
        frame_origin_um=(-shift_px[0] / scale, -shift_px[1] / scale),
    )
    return section_of(cells, Wanted(spec, mpp, image, alignment, pool_um, lattice))


def _mosaic(folder: Path) -> tuple[float, Float[np.ndarray, " 2"]]:
    """Return the mosaic's pixels per µm and where its frame's (0, 0) lies, pixels."""
    path = next((found for found in (folder / "images" / _MATRIX, folder / _MATRIX) if found.is_file()), None)
    what = "the matrix from µm to pixels of the mosaic"
    if path is None:
        msg = f"{what} expected as {folder / 'images' / _MATRIX}, found none: copy it beside the tables"
        raise InputError(msg)
    with reading(path, what):
        matrix = np.array(
            [line.replace(",", " ").split() for line in read_text(path).split("\n") if line.strip()], float
        )
        across, down = float(matrix[0, 0]), float(matrix[1, 1])
    skewed = matrix.shape != (3, 3) or abs(matrix[0, 1]) + abs(matrix[1, 0]) > 1e-3 * abs(across)
    if skewed or across <= 0 or abs(across / down - 1) > 0.01:
        msg = f"{what}, which scales and shifts, expected in {path}, found another: export the region again"
        raise InputError(msg)
    return across, matrix[:2, 2]
