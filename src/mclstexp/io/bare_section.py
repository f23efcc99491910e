"""Sections without an image: counts with their places, laid on a slide on which nothing is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.places import misplaced
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.counts_alone import read_counts
from mclstexp.io.slides import ArraySlide

LEGACY_PITCH_UM: Final = 200.0
"""Distance between neighbours of the legacy arrays, whose spots are named as "12x15"."""
_PX: Final = 16
"""Pixels between neighbours on the empty slide."""


def read_bare_section(
    path: Path | str, *, spec: TileSpec, pitch_um: float | None = None, patient: str | None = None
) -> Section:
    """Read counts whose file says where spots lie, as a section for methods that do not look.

    Parameters
    ----------
    path
        As for `read_counts`. Places are those of an array: ``array_col`` and ``array_row`` in ``obs``, or spots' names
        such as "12x15"; or else ``obsm["spatial"]``, in µm.
    spec
        Size and scale of tiles, which are blank.
    pitch_um
        Distance between neighbours of the array; 200 by default.
    patient
        Whom the section comes from.

    Raises
    ------
    InputError
        As `read_counts`; if the file does not say where spots lie.
    """
    path = Path(path)
    name = path.name.partition(".")[0]
    counts = read_counts(path, what=f"section {name}")
    mpp = (pitch_um or LEGACY_PITCH_UM) / _PX
    array_xy = _on_array(counts)
    xy = _on_glass(counts, path) / mpp if array_xy is None else _PX * array_xy
    xy = xy - xy.min(axis=0) + _PX
    width, height = np.ceil(xy.max(axis=0) + _PX).astype(int)
    slide = ArraySlide(np.full((height, width, 3), 255, np.uint8), mpp=mpp, id=name)
    tiles = Tiles(slide=slide, xy=xy, ids=np.asarray(counts.obs_names, str), spec=spec, array_xy=array_xy)
    return Section(name, patient, tiles, counts)


def _on_array(counts: AnnData) -> NDArray[np.float64] | None:
    """Return (array column, array row) of each spot; None where nobody says."""
    if {keys.ARRAY_COL, keys.ARRAY_ROW} <= set(counts.obs):
        return counts.obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].to_numpy(np.float64)
    parts = counts.obs_names.to_series().astype(str).str.extract(r"^(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)$")
    return None if parts.isna().to_numpy().any() else np.rint(parts.to_numpy(np.float64))


def _on_glass(counts: AnnData, path: Path) -> NDArray[np.float64]:
    xy = np.asarray(counts.obsm.get(keys.SPATIAL, np.empty((0, 2))), np.float64)
    if xy.shape != (counts.n_obs, 2) or misplaced(xy).any():
        msg = (
            f"places of the spots expected in {path} (names as 12x15, array_col and array_row in obs, or "
            'obsm["spatial"]), found none: give a section with its places'
        )
        raise InputError(msg)
    return xy
