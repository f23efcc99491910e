"""10x Visium HD: square bins of 2, 8 or 16 µm without gaps, as Space Ranger 3 and later write them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.io import tenx
from mclstexp.io.guard import first_of, guarded
from mclstexp.io.pitch import choose_mpp, mpp_from_array
from mclstexp.io.visium import find_image, image_folders, sample_name, section_on, slide_with_mpp

_FIT_ROWS = 20_000
"""Bins the scale is fitted to: a regular grid needs no more."""


def looks_like_visium_hd(path: Path | str) -> bool:
    """Whether `path` is a Space Ranger folder of the Visium HD assay."""
    return bool(_bins(_binned(Path(path))))


@guarded("a Space Ranger folder of Visium HD")
def read_visium_hd(
    path: Path | str,
    *,
    bin_um: int = 8,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    image: Path | str | None = None,
    id: str | None = None,  # noqa: A002 — the field's name in Section
    patient: str | None = None,
) -> Section:
    """Read the bins of one size of a Visium HD section.

    Parameters
    ----------
    path
        The ``outs`` folder (or the folder that holds it) with ``binned_outputs``, or that folder itself.
    bin_um
        Side of the bins in µm; only their files are opened.
    spec, image, id, patient
        As for `read_visium`.
    mpp
        µm per pixel of the image; ``microns_per_pixel`` of the scale factors by default, checked against the bins.

    Raises
    ------
    InputError
        If there are no bins of that size (those there are listed), and as `read_visium` does.
    """
    binned = _binned(Path(path))
    bins = _bins(binned)
    if bin_um not in bins:
        found = ", ".join(f"{size} µm" for size in sorted(bins)) or "no folder of bins"
        msg = f"bins of {bin_um} µm (square_{bin_um:03d}um) expected in {binned}, found {found}: give {word('bin_um')}"
        raise InputError(msg)
    folder, root = bins[bin_um], binned.parent if binned.name == "binned_outputs" else binned
    name = id or sample_name(root)
    spatial = folder / "spatial"
    positions = tenx.read_positions(
        first_of(spatial, tenx.POSITION_FILES, what="tissue positions"), in_tissue_only=True
    )
    picture, scale = find_image(image_folders(root), image, spatial=spatial, where=name)
    measured = _measured_mpp(positions, spatial, bin_um=bin_um, where=name)
    slide = slide_with_mpp(picture, mpp, measured=None if measured is None else measured / scale, id=name)
    counts = tenx.join(
        tenx.read_matrix(first_of(folder, tenx.MATRICES[:3], what="count matrix")), positions, where=name
    )
    counts.uns.update({keys.PITCH_UM: float(bin_um), keys.SPOT_DIAMETER_UM: float(bin_um)})
    return section_on(slide, counts, spec=spec, scale=scale, patient=patient or name)


def _measured_mpp(positions: pd.DataFrame, spatial: Path, *, bin_um: int, where: str) -> float | None:
    """µm per full-resolution pixel: the file's, or the bins' own spacing; warns where they disagree."""
    stated = tenx.read_scalefactors(spatial / "scalefactors_json.json").get("microns_per_pixel")
    some = positions.iloc[:: max(1, len(positions) // _FIT_ROWS)]
    places = some[[keys.ARRAY_COL, keys.ARRAY_ROW]].to_numpy(np.float64) * bin_um
    fitted = mpp_from_array(places, some[[keys.PXL_COL, keys.PXL_ROW]].to_numpy())
    if stated is None and fitted is None:
        return None
    stated = None if stated is None else float(stated)
    return choose_mpp(stated, measured=fitted, where=f"{where}, microns_per_pixel in scalefactors_json.json")


def _binned(path: Path) -> Path:
    for folder in (path / "outs" / "binned_outputs", path / "binned_outputs"):
        if folder.is_dir():
            return folder
    return path


def _bins(binned: Path) -> dict[int, Path]:
    """Folders of bins by side in µm."""
    folders = sorted(binned.iterdir()) if binned.is_dir() else []
    named = ((re.fullmatch(r"square_(\d{3})um", folder.name), folder) for folder in folders)
    return {int(match[1]): folder for match, folder in named if match}
