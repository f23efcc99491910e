"""`Cells` of any imaging assay, and the section that they make on an H&E image."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from anndata import AnnData
from jaxtyping import Float

from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.places import said_of_misplaced
from mclstexp.core.section import Section
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.io.entries import entries
from mclstexp.io.guard import reading
from mclstexp.io.imaging.pooling import Lattice, pool
from mclstexp.io.slides import open_slide, probe_slide
from mclstexp.io.spaceranger import IMAGE_SUFFIXES
from mclstexp.io.tables import read_text
from mclstexp.io.witnesses import Evidence, Statement, settle_mpp, tell, weigh

POOL_UM: Final = 55.0
"""Side of pseudo-spots where nothing is said: as wide as Visium's spots."""
_HE_WORDS: Final = ("he_image", "h&e", "_he.", "-he.", "_he_", "he.ome")
"""What names of H&E images hold."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells as their assay has them, before there is an image."""

    name: str
    """Name of the section."""
    counts: AnnData
    """Counts of genes, one row a cell, controls left out."""
    xy_um: Float[np.ndarray, "n 2"]
    """Where each lies in the assay's own frame, µm."""
    frame_mpp: float
    """µm per pixel of the assay's own images, to which an alignment leads."""
    diameter_um: float | None
    """Of a circle of the cells' median area, where that is known."""
    where: Path
    """The folder."""
    frame_origin_um: tuple[float, float] = (0.0, 0.0)
    """Where the corner of the assay's own image lies in its frame."""


@dataclass(frozen=True)
class Wanted:
    """What the caller says of a section of cells."""

    spec: TileSpec
    mpp: float | None = None
    image: Path | str | None = None
    alignment: Path | str | None = None
    pool_um: float | None = None
    lattice: Lattice | None = None


def section_of(cells: Cells, wanted: Wanted) -> Section:
    """Pool cells and lay them on their H&E image.

    Raises
    ------
    InputError
        If there is no H&E image or alignment that can be used, or `wanted` asks for what there is not.
    """
    if found := said_of_misplaced(cells.xy_um):
        msg = f"{cells.name}: finite centres of cells expected, found {found}: drop those cells"
        raise InputError(msg)
    picture = Path(wanted.image) if wanted.image is not None else _find_image(cells)
    if not picture.is_file():
        msg = f"{cells.name}: an H&E image expected at {picture}, found no such file: check {word('image')}"
        raise InputError(msg)
    path = Path(wanted.alignment) if wanted.alignment is not None else _find_alignment(picture)
    matrix = None if path is None else read_alignment(path)
    slide, statements = _opened(cells, picture, wanted.mpp, matrix)
    pool_um = POOL_UM if wanted.pool_um is None else wanted.pool_um
    counts, xy_um, width_um = cells.counts, cells.xy_um, cells.diameter_um
    if pool_um:
        counts = pool(counts, xy_um, pitch_um=pool_um, lattice=wanted.lattice or "square")
        xy_um, width_um = np.asarray(counts.obsm[keys.SPATIAL]), pool_um
        counts.uns[keys.PITCH_UM] = pool_um
    if width_um is not None:
        counts.uns[keys.SPOT_DIAMETER_UM] = width_um
    frame_px = (xy_um - np.array(cells.frame_origin_um)) / cells.frame_mpp
    xy = frame_px * cells.frame_mpp / slide.mpp if matrix is None else _back(matrix, frame_px)
    tell(weigh(Evidence(slide=slide, xy=xy, scales=tuple(statements))), where=cells.name)
    tiles = Tiles(
        slide=slide,
        xy=xy,
        ids=counts.obs_names.to_numpy().astype(np.str_),
        spec=wanted.spec,
        array_xy=counts.obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].to_numpy(np.float64) if pool_um else None,
    )
    return Section(id=cells.name, patient=None, tiles=tiles, counts=counts)


def read_alignment(path: Path) -> Float[np.ndarray, "3 3"]:
    """Read the matrix from pixels of the H&E image to those of the assay's own, as Xenium Explorer writes it.

    Raises
    ------
    InputError
        If it is no 3 by 3 table of numbers whose last row is 0, 0, 1, or flattens the plane.
    """
    what = "an alignment (3 by 3 numbers, from pixels of the H&E image to the assay's)"
    with reading(path, what):
        rows = [line.replace(",", " ").split() for line in read_text(path).splitlines() if line.strip()]
        matrix = np.array(rows, np.float64)
    flat = matrix.shape != (3, 3) or not np.isfinite(matrix).all() or not np.allclose(matrix[2], [0, 0, 1])
    if flat or abs(np.linalg.det(matrix)) < 1e-12:
        msg = f"{what} expected in {path}, found {' by '.join(map(str, matrix.shape))} that are none: export it again"
        raise InputError(msg)
    return matrix


def _opened(
    cells: Cells, picture: Path, mpp: float | None, matrix: Float[np.ndarray, "3 3"] | None
) -> tuple[Slide, list[Statement]]:
    """Open the image at the scale that the alignment, else the caller, else its header tells."""
    statements = [] if mpp is None else [Statement("the given mpp", mpp)]
    if matrix is not None:
        scale = cells.frame_mpp * math.sqrt(abs(float(np.linalg.det(matrix[:2, :2]))))
        statements.append(Statement("the alignment", scale))
    else:
        text = f"{cells.name}: no alignment of {picture.name}: it is taken to show the field of the assay's own image"
        warnings.warn(f"{text}, from its corner; if it does not, give {word('alignment')}", stacklevel=4)
    if (header := probe_slide(picture).mpp) is not None:
        statements.append(Statement("the image's header", header))
    return open_slide(picture, id=cells.name, mpp=settle_mpp(statements, where=cells.name)), statements


def _back(matrix: Float[np.ndarray, "3 3"], frame_px: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    back = np.linalg.inv(matrix)
    return frame_px @ back[:2, :2].T + back[:2, 2]


def _find_image(cells: Cells) -> Path:
    near = [cells.where, cells.where.absolute().parent] if cells.where.absolute().name == "outs" else [cells.where]
    found = [
        path
        for folder in near
        for path in entries(folder)
        if path.name.lower().endswith(IMAGE_SUFFIXES) and any(word in path.name.lower() for word in _HE_WORDS)
    ]
    if len(found) == 1:
        return found[0]
    listed = f"{len(found)} ({', '.join(path.name for path in found[:3])})" if found else "none"
    msg = (
        f"{cells.name}: an H&E image of the section (*_he_image.*) expected in {cells.where}, found {listed}: the "
        f"assay's own images are of fluorescence; give {word('image')}, and {word('alignment')} with its matrix"
    )
    raise InputError(msg)


def _find_alignment(picture: Path) -> Path | None:
    """Return the table beside an image that is named after it, as ``…_he_imagealignment.csv``."""
    stem = picture.name.partition(".")[0]
    found = [path for path in entries(picture.absolute().parent) if path.name.lower().endswith(".csv")]
    named = [path for path in found if path.name.startswith(stem) and "align" in path.name.lower()]
    return named[0] if len(named) == 1 else None
