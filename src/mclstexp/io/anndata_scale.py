"""What an AnnData object says of its scale: numbers in ``uns``, a Visium array, spots, stored pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float
from numpy.typing import NDArray

from mclstexp.core import keys
from mclstexp.core.tiles import Slide
from mclstexp.io.pitch import VISIUM_PITCH_UM, hexagonal_um, mpp_from_array, neighbour_distance_px
from mclstexp.io.witnesses import Evidence, Statement, StoredPicture
from mclstexp.io.witnesses.scale import SPOT_SHARES

MPP_KEYS: Final = ("mpp", "um_per_px", "microns_per_pixel", "pixel_size_um")
"""Numbers of ``uns`` that are µm per pixel."""
SPACING: Final = "the spots' spacing"


def array_places(obs: pd.DataFrame) -> Float[np.ndarray, "n 2"] | None:
    """Return (array column, array row) of each spot, or None where `obs` lacks them."""
    if not {keys.ARRAY_COL, keys.ARRAY_ROW} <= set(obs):
        return None
    places = obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    return places if np.isfinite(places).all() else None


def scale_statements(
    adata: AnnData,
    xy: Float[np.ndarray, "n 2"],
    *,
    pitch_um: float | None = None,
) -> list[Statement]:
    """Return all that the data say of µm per pixel, the most trusted first.

    `pitch_um` over the distance between neighbours; numbers in ``uns``; a Visium array, or bins of a known side;
    neighbours that lie 100 µm apart if spots are 55 (or 65) µm wide, as Visium's are.
    """
    step_px = neighbour_distance_px(xy)
    factors = _factors(adata)
    found = []
    if pitch_um is not None:
        found += [] if step_px is None else [Statement("the given pitch of spots", pitch_um / step_px, of_spots=True)]
    for key in MPP_KEYS:
        if value := _positive(adata.uns.get(key)):
            found.append(Statement(f"uns[{key!r}]", value))
    if value := _positive(factors.get("microns_per_pixel")):
        found.append(Statement("microns_per_pixel of uns['spatial']", value))
    fitted = _fitted(xy, array_places(adata.obs), bin_um=_positive(factors.get("bin_size_um")))
    diameter_px = _positive(factors.get("spot_diameter_fullres"))
    if fitted is not None:
        found.append(Statement(SPACING, fitted, of_spots=True))
    elif step_px and diameter_px and any(abs(diameter_px / step_px - share) < 0.06 * share for share in SPOT_SHARES):
        found.append(Statement(SPACING, VISIUM_PITCH_UM / step_px, of_spots=True))
    return found


def mpp_from_spots(adata: AnnData, xy: Float[np.ndarray, "n 2"], *, pitch_um: float | None = None) -> float | None:
    """Return µm per pixel by the most trusted of `scale_statements`, or None if the data are silent."""
    found = scale_statements(adata, xy, pitch_um=pitch_um)
    return found[0].mpp if found else None


def gather(adata: AnnData, xy: Float[np.ndarray, "n 2"], *, slide: Slide, statements: Sequence[Statement]) -> Evidence:
    """Fill an `Evidence` from an AnnData object with one library."""
    return Evidence(
        slide=slide,
        xy=xy,
        scales=tuple(statements),
        spot_px=_positive(_factors(adata).get("spot_diameter_fullres")),
        spot_um=_positive(adata.uns.get(keys.SPOT_DIAMETER_UM)),
        visium=any(s.source == SPACING for s in statements) and "bin_size_um" not in _factors(adata),
        pictures=_pictures(adata),
    )


def _fitted(
    xy: Float[np.ndarray, "n 2"], array_xy: Float[np.ndarray, "n 2"] | None, *, bin_um: float | None
) -> float | None:
    if array_xy is None:
        return None
    if bin_um is not None:
        return mpp_from_array(array_xy * bin_um, xy)
    return mpp_from_array(hexagonal_um(array_xy[:, 1], array_xy[:, 0]), xy)


def _library(adata: AnnData) -> dict[str, Any]:
    libraries = adata.uns.get(keys.SPATIAL)
    # HEST keeps a flag beside its one library
    entries = [entry for entry in libraries.values() if isinstance(entry, dict)] if isinstance(libraries, dict) else []
    return entries[0] if len(entries) == 1 else {}


def _factors(adata: AnnData) -> dict[str, Any]:
    factors = _library(adata).get("scalefactors", {})
    return factors if isinstance(factors, dict) else {}


def _pictures(adata: AnnData) -> tuple[StoredPicture, ...]:
    images, factors = _library(adata).get("images", {}), _factors(adata)
    found = []
    for name, image in images.items() if isinstance(images, dict) else ():
        scale = _positive(factors.get(f"tissue_{name}_scalef"))
        pixels = np.asarray(image)
        if scale is not None and pixels.ndim == 3 and pixels.shape[2] >= 3 and 0 not in pixels.shape:
            size = (pixels.shape[1], pixels.shape[0])
            found.append(StoredPicture(f"the stored picture {name!r}", size, scale, _as_bytes(pixels)))
    return tuple(found)


def _as_bytes(pixels: NDArray) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels[..., :3]
    top = 1.0 if np.nanmax(pixels) <= 1 else 255.0
    return np.clip(np.nan_to_num(pixels[..., :3].astype(np.float32)) / top * 255, 0, 255).astype(np.uint8)


def _positive(value: object) -> float | None:
    """Return a number above 0, or None for anything else; HDF5 gives scalars as arrays of one."""
    found = np.asarray(value).ravel()
    if len(found) != 1 or not np.issubdtype(found.dtype, np.number):
        return None
    return float(found[0]) if np.isfinite(found[0]) and found[0] > 0 else None
