"""10x Visium HD: square bins of 2, 8 or 16 µm without gaps, as Space Ranger 3 and later write them."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.io import tenx
from mclstexp.io.guard import first_of, guarded
from mclstexp.io.pitch import mpp_from_array
from mclstexp.io.spaceranger import (
    Files,
    find_image,
    find_matrix,
    first_scalefactors,
    has_positions,
    image_folders,
    images_in,
    pictures_in,
    sample_name,
)
from mclstexp.io.tenx_positions import POSITION_FILES, read_positions
from mclstexp.io.visium import evidence_of, open_with, section_on
from mclstexp.io.witnesses import Finding, Statement, tell, weigh

_FIT_ROWS: Final = 20_000
"""Bins the scale is fitted to: a regular grid needs no more."""
_USUAL_UM: Final = 8
_FOLDER: Final = re.compile(r"square_(\d{3})um")
SEGMENTED: Final = "segmented_outputs"
"""The folder of cells that Space Ranger 4 writes beside the bins."""


def looks_like_visium_hd(path: Path | str) -> bool:
    """Whether `path` is a Space Ranger folder of the Visium HD assay, or one of its folders of bins."""
    path = Path(path)
    return _own_bin(path) is not None or bool(_bins(_binned(path)))


@guarded("a Space Ranger folder of Visium HD")
def read_visium_hd(
    path: Path | str,
    *,
    bin_um: int | None = None,
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
        The ``outs`` folder (or the folder that holds it) with ``binned_outputs``, that folder itself, or one of its
        ``square_008um``.
    bin_um
        Side of the bins in µm; 8 by default, or the only size there is. Only their files are opened.
    spec, image, id, patient
        As for `read_visium`.
    mpp
        µm per pixel of the image; ``microns_per_pixel`` of the scale factors by default, checked against the bins.

    Raises
    ------
    InputError
        If there are no bins of that size (those there are listed), and as `read_visium` does.
    """
    path = Path(path)
    own = _own_bin(path)
    binned = _binned(path) if own is None else path.absolute().parent
    bins = _bins(binned) if own is None else {own: path}
    root = binned.absolute().parent if binned.absolute().name == "binned_outputs" else binned
    name = id or sample_name(path if own is not None and root.name == "" else root)
    bin_um = _chosen(bins, own if bin_um is None else bin_um, where=binned, name=name)
    if own is None and (root / SEGMENTED).is_dir():
        text = f"{name}: bins are read, not the cells in {SEGMENTED}: {word('format')} visium_cells reads those"
        warnings.warn(text, stacklevel=2)
    folder = bins[bin_um]
    spatial = folder / "spatial"
    pictures = pictures_in(root / "spatial") if (root / "spatial").is_dir() else {}
    files = Files(
        name=name,
        positions=first_of(spatial, POSITION_FILES, what="tissue positions"),
        matrix=find_matrix(folder, tenx.MATRICES[:3]),
        factors=first_scalefactors(spatial),
        pictures=pictures_in(spatial) or pictures,
        images=tuple(picture for near in image_folders(root) for picture in images_in(near)),
        where=root,
    )
    return _read(files, bin_um, spec=spec, mpp=mpp, image=image, patient=patient)


def _read(
    files: Files, bin_um: int, *, spec: TileSpec, mpp: float | None, image: Path | str | None, patient: str | None
) -> Section:
    positions = read_positions(files.positions, in_tissue_only=True)
    tenx.require_one_sample(positions.index[: 2 * _FIT_ROWS], where=files.name)
    picture, scale = find_image(files, image)
    factors = files.scalefactors()
    stated = factors.get("microns_per_pixel")
    said = [] if stated is None else [Statement("microns_per_pixel of the scale factors", float(stated) / scale)]
    some = positions.iloc[:: max(1, len(positions) // _FIT_ROWS)]
    xy = some[[keys.PXL_COL, keys.PXL_ROW]].to_numpy() * scale
    fitted = mpp_from_array(some[[keys.ARRAY_COL, keys.ARRAY_ROW]].to_numpy(np.float64) * bin_um, xy)
    slide, statements = open_with(picture, mpp, stated=said, spots=fitted, id=files.name)
    findings = weigh(evidence_of(files, factors, xy, slide=slide, scale=scale, statements=statements))
    tell([*_of_another_size(positions, factors, bin_um=bin_um), *findings], where=files.name)
    counts = tenx.join(tenx.matrix_of(files.matrix, positions.index), positions, where=files.name)
    counts.uns.update({keys.PITCH_UM: float(bin_um), keys.SPOT_DIAMETER_UM: float(bin_um)})
    return section_on(slide, counts, spec=spec, scale=scale, patient=patient)


def _of_another_size(positions: pd.DataFrame, factors: dict[str, Any], *, bin_um: int) -> list[Finding]:
    """Compare the side of the bins with what scale factors and barcodes (``s_008um_…``) say."""
    named = re.match(r"s_(\d{3})um_", str(positions.index[0])) if len(positions) else None
    said = {
        "the scale factors": factors.get("bin_size_um"),
        "the barcodes": int(named[1]) if named else None,
    }
    return [
        Finding("scale", f"bins are read as {bin_um} µm wide, {source} say {value:g}: {word('bin_um')} settles it")
        for source, value in said.items()
        if isinstance(value, int | float) and abs(value - bin_um) > 0.01 * bin_um
    ]


def _chosen(bins: dict[int, Path], bin_um: int | None, *, where: Path, name: str) -> int:
    """Return the side of the bins to read."""
    wanted = bin_um if bin_um is not None else _USUAL_UM
    if wanted in bins:
        return wanted
    if bin_um is None and len(bins) == 1:
        only = next(iter(bins))
        if only != _USUAL_UM:
            warnings.warn(f"{name}: bins of {only} µm are read, the only ones there", stacklevel=3)
        return only
    found = ", ".join(f"{size} µm" for size in sorted(bins)) or "no folder of bins"
    msg = f"bins of {wanted} µm (square_{wanted:03d}um) expected in {where}, found {found}: give {word('bin_um')}"
    raise InputError(msg)


def _own_bin(path: Path) -> int | None:
    """Return the side of the bins if a path is itself a folder of them, by its name or its scale factors."""
    if not (path / "spatial").is_dir() or not has_positions(path / "spatial"):
        return None
    if (match := _FOLDER.fullmatch(path.absolute().name)) is not None:
        return int(match[1])
    file = first_scalefactors(path / "spatial")
    try:
        stated = None if file is None else tenx.read_scalefactors(file).get("bin_size_um")
    except InputError:
        return None
    return round(stated) if isinstance(stated, int | float) and stated >= 1 else None


def _binned(path: Path) -> Path:
    for folder in (path / "outs" / "binned_outputs", path / "binned_outputs"):
        if folder.is_dir():
            return folder
    return path


def _bins(binned: Path) -> dict[int, Path]:
    """Folders of bins by side in µm."""
    folders = sorted(binned.iterdir()) if binned.is_dir() else []
    named = ((_FOLDER.fullmatch(folder.name), folder) for folder in folders)
    return {int(match[1]): folder for match, folder in named if match}
