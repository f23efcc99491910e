"""How many micrometres a pixel is, found from where the spots of a known array lie."""

from __future__ import annotations

import math
import warnings

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import check_mpp

VISIUM_PITCH_UM = 100.0
"""Centre-to-centre distance of neighbouring Visium spots (10x Genomics)."""
VISIUM_SPOT_UM = 55.0
"""Diameter of a Visium spot (10x Genomics)."""


def hexagonal_um(array_row: ArrayLike, array_col: ArrayLike) -> Float[np.ndarray, "n 2"]:
    """Return (n, 2) places (x, y) in µm of Visium spots on their hexagonal array.

    Neighbours in a row differ by 2 in ``array_col`` and lie 100 µm apart; rows lie 100·√3/2 µm apart.
    """
    x = np.asarray(array_col, np.float64) * (VISIUM_PITCH_UM / 2)
    y = np.asarray(array_row, np.float64) * (VISIUM_PITCH_UM * math.sqrt(3) / 2)
    return np.column_stack([x, y])


def mpp_from_array(array_um: Float[np.ndarray, "n 2"], xy: Float[np.ndarray, "n 2"]) -> float | None:
    """Fit pixels to places on the array and return µm per pixel.

    An affine map is fitted by least squares, again and again without the spots that lie more than three
    robust standard deviations off, so that single wrong spots do not move it.

    Parameters
    ----------
    array_um
        Places on the array, µm.
    xy
        The same spots in pixels; any rotation or mirroring.

    Returns
    -------
    µm per pixel, or None where the spots say nothing: they lie on one line, the array's axes differ in scale by
    more than 5 %, or the spots lie off the array by more than a tenth of their distance.
    """
    design = np.column_stack([array_um, np.ones(len(array_um))])
    keep = np.ones(len(xy), bool)
    for _ in range(10):
        if np.linalg.matrix_rank(design[keep]) < 3:
            return None
        linear, *_ = np.linalg.lstsq(design[keep], xy[keep], rcond=None)
        off_px = np.linalg.norm(xy - design @ linear, axis=1)
        # half a pixel of rounding is never an outlier
        still = off_px <= max(3 * 1.4826 * float(np.median(off_px[keep])), 0.75)
        if np.array_equal(still, keep):
            break
        keep = still
    long, short = np.linalg.svd(linear[:2], compute_uv=False)
    spacing = cKDTree(array_um).query(array_um, k=2)[0][:, 1]
    if short < 0.95 * long or np.median(off_px) > 0.1 * np.median(spacing) * math.sqrt(long * short):
        return None
    return float(1 / math.sqrt(long * short))


def neighbour_distance_px(xy: Float[np.ndarray, "n 2"]) -> float | None:
    """Return the distance in pixels between neighbouring spots of a regular array, or None for fewer than 3.

    It is the median over all pairs of near neighbours, which rounding to whole pixels biases less than the
    nearest alone.
    """
    if len(xy) < 3:
        return None
    near = cKDTree(xy).query(xy, k=min(7, len(xy)))[0][:, 1:]
    nearest = float(np.median(near[:, 0]))
    return float(np.median(near[near < 1.25 * nearest])) if nearest > 0 else None


def choose_mpp(
    given: float | None, *, measured: float | None = None, header: float | None = None, where: str, hint: str = ""
) -> float:
    """Settle on one µm per pixel: what the caller gave, else what the spots say, else what the image's header says.

    Warns where a source that was passed over differs by more than 5 %.

    Parameters
    ----------
    given, measured, header
        µm per pixel of the image by each source, None where it is silent.
    where
        Whose it is, for the message.
    hint
        Further advice for the message.

    Raises
    ------
    InputError
        If no source knows it, or a given one is not a positive number.
    """
    if given is not None:
        check_mpp(given, f"{where}: mpp")
    sources = {"the given mpp": given, "the spots' spacing": measured, "the image's header": header}
    known = [(name, value) for name, value in sources.items() if value is not None]
    if not known:
        msg = (
            f"{where}: mpp unknown (micrometres per pixel are neither in the image nor in the data): "
            f"give {word('mpp')}{hint}"
        )
        raise InputError(msg)
    name, chosen = known[0]
    for other, value in known[1:]:
        if abs(value / chosen - 1) > 0.05:
            text = f"{where}: {name} says {chosen:.4g} µm per pixel, {other} {value:.4g}: {chosen:.4g} is used"
            warnings.warn(text, stacklevel=3)
    return chosen
