"""Any `.h5ad` with spot centres in pixels, paired with an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float

from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section, as_counts
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.entries import entries
from mclstexp.io.guard import guarded
from mclstexp.io.hdf5 import read_anndata
from mclstexp.io.pitch import (
    VISIUM_PITCH_UM,
    VISIUM_SPOT_UM,
    hexagonal_um,
    mpp_from_array,
    neighbour_distance_px,
)
from mclstexp.io.tenx import unique_names
from mclstexp.io.visium import IMAGE_SUFFIXES, slide_with_mpp

_PIXEL_COLUMNS = (("pixel_x", "pixel_y"), (keys.PXL_COL, keys.PXL_ROW))
_MPP_KEYS = ("mpp", "um_per_px", "microns_per_pixel", "pixel_size_um")
_SPOT_UM = (VISIUM_SPOT_UM, 65.0)
"""Space Ranger's ``spot_diameter_fullres`` was that of a theoretical 65 µm spot; others write the true 55 µm."""


def looks_like_h5ad(path: Path | str) -> bool:
    """Whether `path` is an AnnData file."""
    return Path(path).suffix == ".h5ad" and Path(path).is_file()


@guarded("an AnnData file (h5ad) and its image")
def read_h5ad(
    path: Path | str,
    *,
    image: Path | str | None = None,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    pitch_um: float | None = None,
    id: str | None = None,  # noqa: A002 — the field's name in Section
    patient: str | None = None,
) -> Section:
    """Read a section from an AnnData file and an image.

    Parameters
    ----------
    path
        File with centres in ``obsm["spatial"]`` (or ``obs["pixel_x", "pixel_y"]``), (column, row) in pixels of the
        image, and raw counts in ``X``, ``layers["counts"]`` or ``raw.X``: the first that holds whole numbers.
    image
        The image; by default the one beside the file whose name starts with the file's (``s1.h5ad``, ``s1_HE.jpg``).
    spec
        Size and scale of the tiles.
    mpp
        µm per pixel of the image. By default it is what ``uns`` states (``mpp``, ``um_per_px``, …), what a Visium
        array implies (``array_row``, ``array_col``, or Visium's ``spot_diameter_fullres``), or the image's header.
    pitch_um
        Distance in µm between neighbouring spots, where that is what is known.
    id
        Name of the section; the file's by default.
    patient
        Whom it comes from; `id` by default.

    Raises
    ------
    InputError
        If there are no centres, no raw counts, no image, or its scale is not known.
    """
    path = Path(path)
    name = id or path.stem
    adata = load(path)
    xy = centres(adata, path)
    picture = _find_image(path, image)
    if pitch_um is not None and not pitch_um > 0:
        msg = f"{name}: pitch_um must be a positive number of µm, found {pitch_um!r}"
        raise InputError(msg)
    measured = mpp_from_spots(adata, xy, pitch_um=pitch_um)
    hint = f", or {word('pitch_um')} if the distance between neighbouring spots is known"
    slide = slide_with_mpp(picture, mpp, measured=measured, id=name, hint=hint)
    tiles = Tiles(
        slide=slide, xy=xy, ids=adata.obs_names.to_numpy().astype(np.str_), spec=spec, array_xy=array_places(adata.obs)
    )
    return Section(id=name, patient=patient or name, tiles=tiles, counts=adata)


def load(path: Path) -> AnnData:
    """Read an AnnData file as raw counts of spots under tissue.

    Raises
    ------
    InputError
        If the file is damaged or has no raw counts.
    """
    return raw_counts(read_anndata(path, "an AnnData file (h5ad)"), where=path.name)


def raw_counts(adata: AnnData, *, where: str) -> AnnData:
    """Return the first of ``X``, ``layers["counts"]`` and ``raw.X`` that holds raw counts, spots under tissue only.

    Gene names that several genes share are followed by the id, if ``var`` has one.

    Raises
    ------
    InputError
        If none holds whole numbers of zero or more.
    """
    places = [(adata.X, adata.var), (adata.layers.get("counts"), adata.var)]
    if adata.raw is not None:
        places.append((adata.raw.X, adata.raw.var))
    counts, var = next(((m, v) for m, v in places if m is not None and _whole(m, where)), (None, None))
    if counts is None or var is None:
        msg = (
            f"{where}: raw counts (whole numbers) expected in X, layers['counts'] or raw.X, found normalised or no "
            "values: save the unnormalised counts into layers['counts']"
        )
        raise InputError(msg)
    var = var.copy()
    ids = next((column for column in (keys.GENE_ID, "gene_ids") if column in var), None)
    if ids is not None and not var.index.is_unique:
        var.index = unique_names(var.index.to_series(), var[ids])
    kept = AnnData(X=counts, obs=adata.obs.copy(), var=var, obsm=dict(adata.obsm), uns=dict(adata.uns))
    if keys.IN_TISSUE not in kept.obs:
        return kept
    return kept[pd.to_numeric(kept.obs[keys.IN_TISSUE]).to_numpy() == 1].copy()


def centres(adata: AnnData, path: Path) -> Float[np.ndarray, "n 2"]:
    """Return spot centres (column, row) in pixels.

    Raises
    ------
    InputError
        If there are none.
    """
    if keys.SPATIAL in adata.obsm:
        return np.asarray(adata.obsm[keys.SPATIAL], np.float64)[:, :2]
    for columns in _PIXEL_COLUMNS:
        if set(columns) <= set(adata.obs):
            return adata.obs[list(columns)].to_numpy(np.float64)
    found = ", ".join(sorted(adata.obsm)) or "an empty obsm"
    msg = f"spot centres in pixels expected as obsm['spatial'] in {path}, found {found}: add them"
    raise InputError(msg)


def array_places(obs: pd.DataFrame) -> Float[np.ndarray, "n 2"] | None:
    """Return (array column, array row) of each spot, or None where `obs` lacks them."""
    if not {keys.ARRAY_COL, keys.ARRAY_ROW} <= set(obs):
        return None
    places = obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    return places if np.isfinite(places).all() else None


def mpp_from_spots(adata: AnnData, xy: Float[np.ndarray, "n 2"], *, pitch_um: float | None = None) -> float | None:
    """Return µm per pixel by what the data say of their spots, or None if they are silent.

    Asked in this order: `pitch_um` over the distance between neighbours; a number in ``uns``; a Visium array;
    neighbours that lie 100 µm apart if spots are 55 (or 65) µm wide, as Visium's are.
    """
    step_px = neighbour_distance_px(xy)
    if pitch_um is not None:
        return pitch_um / step_px if step_px else None
    for key in _MPP_KEYS:
        value = adata.uns.get(key)
        if np.isscalar(value) and np.issubdtype(np.asarray(value).dtype, np.number) and float(value) > 0:  # type: ignore[arg-type]
            return float(value)  # type: ignore[arg-type]
    places = array_places(adata.obs)
    fitted = None if places is None else mpp_from_array(hexagonal_um(places[:, 1], places[:, 0]), xy)
    if fitted is not None or step_px is None:
        return fitted
    diameter_px = _spot_diameter_px(adata)
    if diameter_px and any(abs(step_px / diameter_px * um / VISIUM_PITCH_UM - 1) < 0.06 for um in _SPOT_UM):
        return VISIUM_PITCH_UM / step_px
    return None


def _spot_diameter_px(adata: AnnData) -> float | None:
    libraries = adata.uns.get(keys.SPATIAL)
    if not isinstance(libraries, dict) or len(libraries) != 1:
        return None
    library = next(iter(libraries.values()))
    factors = library.get("scalefactors", {}) if isinstance(library, dict) else {}
    diameter = factors.get("spot_diameter_fullres")
    return None if diameter is None else float(np.asarray(diameter).ravel()[0])


def _whole(matrix: object, where: str) -> bool:
    try:
        as_counts(matrix, where=where)
    except InputError:
        return False
    return True


def _find_image(path: Path, image: Path | str | None) -> Path:
    if image is not None:
        picture = Path(image)
        if not picture.is_file():
            msg = f"{path.name}: an image expected at {picture}, found no such file: check {word('image')}"
            raise InputError(msg)
        return picture
    beside = [other for other in entries(path.parent) if other.suffix.lower() in IMAGE_SUFFIXES]
    found = [other for other in beside if other.stem == path.stem]
    # "s1_HE" goes with s1, "s10" does not
    found = found or [
        other for other in beside if other.stem.startswith((f"{path.stem}_", f"{path.stem}.", f"{path.stem}-"))
    ]
    if len(found) != 1:
        listed = f"{len(found)} ({', '.join(other.name for other in found[:4])})" if found else "none"
        named = f"{path.stem}.* or {path.stem}_*.*"
        msg = f"one image named {named} expected beside {path}, found {listed}: give {word('image')}"
        raise InputError(msg)
    return found[0]
