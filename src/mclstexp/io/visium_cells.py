"""Cells of Visium HD: what Space Ranger 4 writes as ``segmented_outputs``, each cell at the centre of its outline."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io import tenx
from mclstexp.io.guard import first_of, guarded, reading
from mclstexp.io.spaceranger import (
    Files,
    find_image,
    find_matrix,
    first_scalefactors,
    image_folders,
    images_in,
    pictures_in,
    root_of,
    sample_name,
)
from mclstexp.io.tables import read_text
from mclstexp.io.visium import evidence_of, open_with
from mclstexp.io.visium_hd import SEGMENTED
from mclstexp.io.witnesses import Statement, tell, weigh

_OUTLINES: Final = ("cell_segmentations.geojson", "*cell_segmentations.geojson", "cell_segmentations.geojson.gz")
_MATRICES: Final = ("*filtered_feature_cell_matrix.h5", "*filtered_feature_cell_matrix", "*raw_feature_cell_matrix.h5")
_CELL: Final = re.compile(r"cellid_0*(\d+)-\d+")


@dataclass(frozen=True)
class _Outline:
    """A polygon as far as it is needed: a file holds hundreds of thousands."""

    x: float
    y: float
    area: float


def looks_like_visium_cells(path: Path | str) -> bool:
    """Whether `path` is a Space Ranger folder with segmented cells, or that folder of them."""
    return _folder(Path(path)) is not None


@guarded("a Space Ranger folder of segmented cells")
def read_visium_cells(
    path: Path | str,
    *,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    image: Path | str | None = None,
    id: str | None = None,  # noqa: A002 — the field's name in Section
    patient: str | None = None,
) -> Section:
    """Read the cells that Space Ranger 4 segmented; a cell stands where a spot does otherwise.

    Parameters
    ----------
    path
        The ``outs`` folder (or the folder that holds it) with ``segmented_outputs``, or that folder itself, with
        ``filtered_feature_cell_matrix.h5`` and ``cell_segmentations.geojson`` (outlines in full-resolution pixels).
    spec, image, id, patient
        As for `read_visium`.
    mpp
        µm per pixel of the image; ``microns_per_pixel`` of the scale factors by default.

    Returns
    -------
    Section
        Cells at the centroids of their outlines; ``uns["spot_diameter_um"]`` is that of a circle of their median area.

    Raises
    ------
    InputError
        If a file is absent or damaged, a cell has no outline, there is no image or its scale is not known.
    """
    folder = _folder(Path(path))
    if folder is None:
        msg = f"a folder {SEGMENTED} of Space Ranger 4 expected in {path}, found none: check the path"
        raise InputError(msg)
    root = folder.absolute().parent if folder.absolute().name == SEGMENTED else folder
    outlines = first_of(folder, _OUTLINES, what="outlines of cells")
    files = Files(
        name=id or sample_name(root),
        positions=outlines,
        matrix=find_matrix(folder, _MATRICES),
        factors=first_scalefactors(folder / "spatial"),
        pictures=pictures_in(folder / "spatial"),
        images=tuple(picture for near in image_folders(root) for picture in images_in(near)),
        where=root,
    )
    cells = _read_outlines(outlines)
    names = pd.Index([f"cellid_{number:09d}-1" for number in cells.index])  # as Space Ranger writes them
    counts = _placed(tenx.matrix_of(files.matrix, names), cells, files=files)
    picture, scale = find_image(files, image)
    factors = files.scalefactors()
    xy = counts.obs[["x", "y"]].to_numpy(np.float64) * scale
    stated = factors.get("microns_per_pixel")
    said = [] if stated is None else [Statement("microns_per_pixel of the scale factors", float(stated) / scale)]
    slide, statements = open_with(picture, mpp, stated=said, spots=None, id=files.name)
    bins = {**factors, "bin_size_um": factors.get("bin_size_um", 0)}  # cells keep to no array
    tell(weigh(evidence_of(files, bins, xy, slide=slide, scale=scale, statements=statements)), where=files.name)
    area_um2 = float(counts.obs.pop("area").median()) * (slide.mpp * scale) ** 2
    counts.uns[keys.SPOT_DIAMETER_UM] = 2 * math.sqrt(area_um2 / math.pi)
    if scale != 1:
        counts.uns["image_scale"] = scale
    counts.obs = counts.obs.drop(columns=["x", "y"])
    tiles = Tiles(slide=slide, xy=xy, ids=counts.obs_names.to_numpy().astype(np.str_), spec=spec)
    return Section(id=files.name, patient=patient, tiles=tiles, counts=counts)


def _folder(path: Path) -> Path | None:
    for folder in (root_of(path) / SEGMENTED, path):
        if folder.is_dir() and any(any(folder.glob(name)) for name in _OUTLINES):
            return folder
    return None


def _read_outlines(path: Path) -> pd.DataFrame:
    """Read centre (x, y) and area of each cell, full-resolution pixels, by its number."""
    with reading(path, "outlines of cells (GeoJSON)"):
        content = json.loads(read_text(path), object_hook=_measured)
        rows = {}
        for feature in content["features"]:
            number = feature["properties"].get("cell_id", feature.get("id"))
            outline: _Outline = feature["geometry"]
            if isinstance(number, str) and (match := _CELL.fullmatch(number)):
                number = match[1]
            rows[int(number)] = (outline.x, outline.y, outline.area)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["x", "y", "area"])


def _measured(part: dict[str, Any]) -> dict[str, Any] | _Outline:
    """Turn a polygon into what is needed of it while the file is read, so that its points need not be kept."""
    if part.get("type") not in ("Polygon", "MultiPolygon") or "coordinates" not in part:
        return part
    polygons = [part["coordinates"]] if part["type"] == "Polygon" else part["coordinates"]
    return max((_centroid(np.asarray(polygon[0], np.float64)) for polygon in polygons), key=lambda found: found.area)


def _centroid(ring: np.ndarray) -> _Outline:
    """Return centroid and area of a ring of points (n, 2) by the shoelace formula."""
    start = ring[0, :2]
    x, y = (ring[:, :2] - start).T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    double = float(cross.sum())
    if double == 0:
        middle = ring[:, :2].mean(axis=0)
        return _Outline(float(middle[0]), float(middle[1]), 0.0)
    centre = [float(((a + np.roll(a, -1)) * cross).sum() / (3 * double)) for a in (x, y)]
    return _Outline(centre[0] + float(start[0]), centre[1] + float(start[1]), abs(double) / 2)


def _placed(matrix: AnnData, cells: pd.DataFrame, *, files: Files) -> AnnData:
    """Put centres under counts, in the matrix's order."""
    numbers = matrix.obs_names.to_series().str.extract(_CELL)[0].astype(float)
    row = cells.index.get_indexer(numbers.fillna(-1).astype(int))
    if (row < 0).any():
        lost = matrix.obs_names[row < 0]
        msg = (
            f"{files.name}: an outline in {files.positions.name} for every cell of the count matrix expected, found "
            f"none for {len(lost)} of {len(row)} (first {lost[0]!r}): use the files of one run"
        )
        raise InputError(msg)
    return AnnData(X=matrix.X, obs=cells.iloc[row].set_index(matrix.obs_names), var=matrix.var)
