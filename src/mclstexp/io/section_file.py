"""A section as one h5ad: counts, places and scale, beside its image."""

from __future__ import annotations

from pathlib import Path

from mclstexp.core import keys
from mclstexp.core.section import Section
from mclstexp.io.atomic import atomic_path
from mclstexp.io.predictions import storable

_PLACES = ("pixel_x", "pixel_y", keys.PXL_COL, keys.PXL_ROW)
"""Columns that say again where spots lie."""


def write_section(section: Section, path: Path) -> Path:
    """Write counts and places as h5ad, which `read_h5ad` reads beside the same image; whole or not at all.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    counts = section.counts.copy()
    counts.obs = counts.obs.drop(columns=[name for name in _PLACES if name in counts.obs])
    if section.tiles.array_xy is not None:
        counts.obs[[keys.ARRAY_COL, keys.ARRAY_ROW]] = section.tiles.array_xy
    if section.patient is not None:
        counts.obs[keys.PATIENT] = section.patient
    counts.uns = storable({**counts.uns, "mpp": section.tiles.slide.mpp})
    with atomic_path(path) as temporary:
        counts.write_h5ad(temporary, compression="gzip")
    return path
