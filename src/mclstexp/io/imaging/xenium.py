"""10x Xenium: the output folder of the analyser, with ``cell_feature_matrix.h5`` and ``cells.parquet``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.io import tenx
from mclstexp.io.bounds import check_gzip
from mclstexp.io.guard import first_of, guarded, reading
from mclstexp.io.hdf5 import opened_hdf5
from mclstexp.io.imaging.cells import Cells, Wanted, section_of
from mclstexp.io.imaging.controls import tell_left_out, without_controls
from mclstexp.io.imaging.pooling import Lattice
from mclstexp.io.spaceranger import root_of, sample_name
from mclstexp.io.tables import read_text
from mclstexp.io.tenx_positions import unique_barcodes
from mclstexp.io.unasked import counts_are_asked

_CELLS: Final = ("cells.parquet", "cells.csv.gz", "cells.csv")
_EXPERIMENT: Final = "experiment.xenium"
_MPP: Final = 0.2125
"""µm per pixel of Xenium's morphology images."""
_MATRIX: Final = "cell_feature_matrix.h5"


def looks_like_xenium(path: Path | str) -> bool:
    """Whether `path` is a Xenium output folder."""
    root = root_of(Path(path))
    matrix = (root / _MATRIX).is_file() or (root / "cell_feature_matrix").is_dir()
    return matrix and any((root / name).is_file() for name in _CELLS)


@guarded("a Xenium output folder")
def read_xenium(
    path: Path | str,
    *,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    image: Path | str | None = None,
    alignment: Path | str | None = None,
    pool_um: float | None = None,
    lattice: Lattice | None = None,
) -> Section:
    """Read a Xenium section, its cells pooled into pseudo-spots, on its H&E image.

    Parameters
    ----------
    path
        The output folder, with ``experiment.xenium``, the cells and their counts.
    spec, mpp
        As for `read_visium`; by default the alignment tells µm per pixel.
    image, alignment
        The H&E image and the table of 3 by 3 numbers that leads from its pixels to those of the morphology image; by
        default what is named ``*_he_image.*`` in the folder, and the table named after it
        (``*_he_imagealignment.csv``, as Xenium Explorer exports it).
    pool_um, lattice
        Side of the pseudo-spots into which cells are pooled, µm, 55 by default, and how they lie, "square" by default;
        0 takes each cell as a place.

    Raises
    ------
    InputError
        If a file is absent or damaged, cells and counts do not belong together, or there is no H&E image.
    """
    root = root_of(Path(path))
    name, about = sample_name(root), _about(root)
    table = _read_cells(first_of(root, _CELLS, what="table of cells"))
    matrix = first_of(root, (_MATRIX, "cell_feature_matrix"), what="count matrix of cells")
    counts = tenx.matrix_of(matrix, table.index)
    if counts_are_asked() and matrix.suffix == ".h5":
        _tell_controls(matrix, where=name)
    counts = without_controls(_joined(counts, table, where=name), where=name)
    table = table.loc[counts.obs_names]
    cells = Cells(
        name=name,
        counts=counts,
        xy_um=table[["x_centroid", "y_centroid"]].to_numpy(np.float64),
        frame_mpp=float(about.get("pixel_size", _MPP)),
        diameter_um=2 * math.sqrt(float(table["cell_area"].median()) / math.pi) if "cell_area" in table else None,
        where=root,
    )
    return section_of(cells, Wanted(spec, mpp, image, alignment, pool_um, lattice))


def _about(root: Path) -> dict[str, Any]:
    path = root / _EXPERIMENT
    if not path.is_file():
        return {}
    with reading(path, "what Xenium says of an experiment (JSON)"):
        about: dict[str, Any] = json.loads(read_text(path))
        float(about.get("pixel_size", _MPP))
    return about


def _read_cells(path: Path) -> pd.DataFrame:
    with reading(path, "a table of cells (cell_id, x_centroid, y_centroid)"):
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
        else:
            check_gzip(path)
            table = pd.read_csv(path)
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in table["cell_id"]]
        table[["x_centroid", "y_centroid"]] = table[["x_centroid", "y_centroid"]].astype(np.float64)
        return table.set_index(unique_barcodes(np.array(names, object), path))


def _joined(counts: AnnData, table: pd.DataFrame, *, where: str) -> AnnData:
    lost = ~counts.obs_names.isin(table.index)
    if lost.any():
        msg = (
            f"{where}: a place for every cell of the count matrix expected, found none for {lost.sum()} of {len(lost)} "
            f"(first {counts.obs_names[lost][0]!r}): use the files of one run"
        )
        raise InputError(msg)
    return counts


def _tell_controls(matrix: Path, *, where: str) -> None:
    """Say which features were passed over by their type."""
    with opened_hdf5(matrix, "a count matrix of cells (h5)") as file:
        group = file["matrix"]
        kinds = group["features/feature_type"].asstr()[:]
        names = group["features/name"].asstr()[:]
        controls = kinds != "Gene Expression"
        held = np.bincount(group["indices"][:], weights=group["data"][:], minlength=len(kinds))
    tell_left_out(list(names[controls]), share=float(held[controls].sum() / max(held.sum(), 1)), where=where)
