"""Sections without an image: counts with their places, laid on a slide on which nothing is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.fine_lattice import is_staggered
from mclstexp.core.places import misplaced
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.anndata_scale import array_places
from mclstexp.io.counts_alone import read_counts
from mclstexp.io.pitch import VISIUM_PITCH_UM, hexagonal_um
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
        Distance between neighbours of the array; by default 200, and 100 of a staggered one, which Visium's is.
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
    if counts.n_obs == 0:
        msg = f"section {name}: at least one spot expected, found none: give its raw counts"
        raise InputError(msg)
    array_xy = _on_array(counts)
    staggered = array_xy is not None and is_staggered(array_xy)
    mpp = (pitch_um or (VISIUM_PITCH_UM if staggered else LEGACY_PITCH_UM)) / _PX
    if array_xy is None:
        xy = _on_glass(counts, path) / mpp
    elif staggered:
        xy = hexagonal_um(array_xy[:, 1], array_xy[:, 0]) * (_PX / VISIUM_PITCH_UM)
    else:
        xy = _PX * array_xy
    xy = xy - xy.min(axis=0) + _PX
    width, height = np.ceil(xy.max(axis=0) + _PX).astype(int)
    slide = ArraySlide(np.full((height, width, 3), 255, np.uint8), mpp=mpp, id=name)
    tiles = Tiles(slide=slide, xy=xy, ids=np.asarray(counts.obs_names, str), spec=spec, array_xy=array_xy)
    return Section(name, patient, tiles, counts)


def _on_array(counts: AnnData) -> NDArray[np.float64] | None:
    """Return (array column, array row) of each spot; None where nobody says."""
    if (said := array_places(counts.obs)) is not None:
        return said
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
