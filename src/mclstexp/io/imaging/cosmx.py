"""CosMx: the flat files that AtoMx exports, ``*_exprMat_file.csv`` and ``*_metadata_file.csv``, plain or gzipped."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.io.guard import first_of, guarded
from mclstexp.io.imaging.cells import Cells, Wanted, section_of
from mclstexp.io.imaging.controls import without_controls
from mclstexp.io.imaging.pooling import Lattice
from mclstexp.io.imaging.tables import read_counts, read_places, require_all
from mclstexp.io.spaceranger import sample_name

_COUNTS: Final = ("*exprMat_file.csv", "*exprMat_file.csv.gz")
_PLACES: Final = ("*metadata_file.csv", "*metadata_file.csv.gz")
_FIELDS: Final = ("*fov_positions_file.csv", "*fov_positions_file.csv.gz")
_MPP: Final = 0.12028
"""µm per pixel of CosMx."""
_CENTRES: Final = ["CenterX_global_px", "CenterY_global_px"]


def looks_like_cosmx(path: Path | str) -> bool:
    """Whether `path` is a folder of CosMx's flat files."""
    path = Path(path)
    return path.is_dir() and all(any(any(path.glob(name)) for name in names) for names in (_COUNTS, _PLACES))


@guarded("a folder of CosMx's flat files")
def read_cosmx(
    path: Path | str,
    *,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    image: Path | str | None = None,
    alignment: Path | str | None = None,
    pool_um: float | None = None,
    lattice: Lattice | None = None,
) -> Section:
    """Read a CosMx section, its cells pooled into pseudo-spots, on an H&E image of the same tissue.

    Parameters
    ----------
    path
        The folder with the table of counts (fov, cell_ID, genes), that of cells (fov, cell_ID, CenterX_global_px,
        CenterY_global_px) and, where it is there, that of fields of view, which tells µm per pixel.
    spec, mpp
        As for `read_visium`.
    image, alignment
        The H&E image (CosMx makes none) and the table of 3 by 3 numbers from its pixels to global pixels; without one
        it is taken to show the field from the cells' (0, 0) on.
    pool_um, lattice
        As for `read_xenium`.

    Raises
    ------
    InputError
        If a file is absent or damaged, cells and counts do not belong together, or there is no H&E image.
    """
    folder = Path(path)
    name = sample_name(folder)
    counts = read_counts(first_of(folder, _COUNTS, what="table of counts"), names=("fov", "cell_ID"))
    places = read_places(
        first_of(folder, _PLACES, what="table of cells"), names=("fov", "cell_ID"), columns=_CENTRES, optional=["Area"]
    )
    outside = counts.obs_names.str.endswith("_0")  # cell 0 of a field is all that lies in none
    if outside.any():
        share = float(counts.X[outside].sum()) / max(float(counts.X.sum()), 1)
        text = (
            f"{name}: {share:.1%} of the counts lie in no cell (cell_ID 0 of {outside.sum()} fields) and are left out"
        )
        warnings.warn(text, stacklevel=3)
    counts = without_controls(counts[~outside].copy(), where=name)
    require_all(counts.obs_names, places.index, where=name)
    places = places.loc[counts.obs_names]
    frame_mpp = _scale(folder)
    area = places["Area"].median() * frame_mpp**2 if "Area" in places else None
    cells = Cells(
        name=name,
        counts=counts,
        xy_um=places[_CENTRES].to_numpy(np.float64) * frame_mpp,
        frame_mpp=frame_mpp,
        diameter_um=None if area is None else 2 * math.sqrt(float(area) / math.pi),
        where=folder,
    )
    return section_of(cells, Wanted(spec, mpp, image, alignment, pool_um, lattice))


def _scale(folder: Path) -> float:
    """Return µm per pixel: by where fields lie in pixels and in millimetres, or CosMx's usual."""
    files = [path for name in _FIELDS for path in folder.glob(name)]
    if not files:
        return _MPP
    fields = pd.read_csv(files[0])
    in_px, in_mm = (
        next(([f"{axis}{ending}" for axis in ("x", "y")] for ending in endings if f"x{ending}" in fields), None)
        for endings in (("_global_px",), ("_global_mm", "_mm"))
    )
    if in_px is None or in_mm is None or len(fields) < 2:
        return _MPP
    px, mm = (np.ptp(fields[columns].to_numpy(np.float64), axis=0) for columns in (in_px, in_mm))
    return float(1000 * mm.sum() / px.sum()) if px.sum() > 0 and mm.sum() > 0 else _MPP
