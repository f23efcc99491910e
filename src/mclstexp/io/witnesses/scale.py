"""µm per pixel: what the data, the array and the image's header say, and how far apart spots lie by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import check_mpp
from mclstexp.io.pitch import VISIUM_PITCH_UM, VISIUM_SPOT_UM
from mclstexp.io.witnesses.evidence import Evidence, Finding, Statement

SPOT_SHARES: Final = (VISIUM_SPOT_UM / VISIUM_PITCH_UM, 0.65)
"""A Visium spot's diameter over the pitch: the true one, and that of Space Ranger's ``spot_diameter_fullres``."""
_SAME: Final = 0.05
"""Scales closer than this agree; a header's and an array's differ by a percent or two."""
_SHARE_RANGE: Final = (0.5, 0.72)
_OVERLAP: Final = 1.1
"""Square bins touch; jittered places come a little closer."""
_LOOKED_AT: Final = 5_000


@dataclass(frozen=True)
class Spacing:
    """How spots lie to each other."""

    step_px: float
    """Distance between neighbours: the median over near pairs."""
    hexagonal: bool
    """Whether most have six neighbours equally far, which of all arrays in use only Visium's have."""


def settle_mpp(statements: Sequence[Statement], *, where: str, hint: str = "") -> float:
    """Return the first statement's µm per pixel: statements come the most trusted first.

    Raises
    ------
    InputError
        If there is none, or one that was given is not a positive number.
    """
    for statement in statements:
        if not (math.isfinite(statement.mpp) and statement.mpp > 0):
            msg = f"{where}: {statement.source} must be a positive number of µm per pixel, found {statement.mpp!r}"
            raise InputError(msg)
    if not statements:
        option = word("mpp")
        msg = f"{where}: mpp unknown (micrometres per pixel are neither in the image nor in the data): "
        raise InputError(msg + f"give {option}{hint}")
    return check_mpp(statements[0].mpp, f"{where}: {statements[0].source}")


def spacing(xy: Float[np.ndarray, "n 2"]) -> Spacing | None:
    """Return how spots lie to each other, or None for fewer than 3 or if most share their places."""
    if len(xy) < 3:
        return None
    some = xy[:: max(1, len(xy) // _LOOKED_AT)]
    near = cKDTree(xy).query(some, k=min(7, len(xy)))[0][:, 1:]
    nearest = float(np.median(near[:, 0]))
    if nearest <= 0:
        return None
    six = near.shape[1] == 6 and float(((near[:, 0] > 0) & (near[:, -1] < 1.15 * near[:, 0])).mean()) > 0.3
    return Spacing(float(np.median(near[near < 1.25 * nearest])), hexagonal=six)


def scale_findings(evidence: Evidence) -> list[Finding]:
    """Compare every source of µm per pixel with the one in use."""
    if not evidence.scales:
        return []
    chosen, *others = evidence.scales
    found = []
    for other in others:
        if abs(other.mpp / chosen.mpp - 1) > _SAME:
            text = f"{chosen.source} says {chosen.mpp:.4g} µm per pixel, {other.source} {other.mpp:.4g}: "
            found.append(Finding("scale", text + f"{chosen.mpp:.4g} is used{_advice(chosen, other, evidence)}"))
    return found


def spot_findings(evidence: Evidence) -> list[Finding]:
    """Compare the diameter of spots, the distance between them and the scale."""
    between = spacing(evidence.xy)
    if between is None:
        return []
    visium = evidence.visium or between.hexagonal
    step, mpp = between.step_px, evidence.slide.mpp
    spots = evidence.spot_px
    if spots is not None and visium and not _SHARE_RANGE[0] <= spots / step <= _SHARE_RANGE[1]:
        text = (
            f"spots are said to be {spots:.4g} px wide and lie {step:.4g} px apart, but Visium's are 55 µm (Space "
            f"Ranger: 65) wide and 100 µm apart: {_unit(shrunk(evidence), evidence)}"
        )
        return [Finding("spots", text)]
    if spots is not None and spots > _OVERLAP * step:
        text = f"spots are said to be {spots:.4g} px wide but lie {step:.4g} px apart, so that they overlap: "
        return [Finding("spots", text + "check the places, or whether two sections lie on each other")]
    measured = any(statement.of_spots for statement in evidence.scales)
    if between.hexagonal and not measured and abs(step * mpp / VISIUM_PITCH_UM - 1) > 2 * _SAME:
        text = (
            f"spots of a hexagonal array lie {step * mpp:.4g} µm apart at {mpp:.4g} µm per pixel, but Visium's 100 µm: "
            f"{_unit(step * mpp / VISIUM_PITCH_UM, evidence)}"
        )
        return [Finding("spots", text)]
    if evidence.spot_um is not None and evidence.spot_um > _OVERLAP * step * mpp:
        text = f"spots of {evidence.spot_um:g} µm lie {step * mpp:.4g} µm apart at {mpp:.4g} µm per pixel, so that they"
        return [Finding("spots", f"{text} overlap: check the places, or give {word('mpp')}")]
    return []


def shrunk(evidence: Evidence) -> float | None:
    """Return how many of its places' pixels a Visium array has per pixel of its stated spot diameter."""
    between = spacing(evidence.xy)
    if between is None or evidence.spot_px is None or not (evidence.visium or between.hexagonal):
        return None
    share = between.step_px / evidence.spot_px
    return min((share * usual for usual in SPOT_SHARES), key=lambda factor: _distance(factor, evidence))


def _distance(factor: float, evidence: Evidence) -> float:
    """How far a factor is from any that would explain itself: none, a stored picture's, µm."""
    known = [1.0, *(picture.scale for picture in evidence.pictures), *(s.mpp for s in evidence.scales)]
    return min(abs(math.log(factor / value)) for value in known)


def _unit(factor: float | None, evidence: Evidence) -> str:
    """Say what places that are too small (or large) by `factor` seem to be."""
    name = None if factor is None else _unit_of(factor, evidence)
    if name is not None:
        return f"places seem to be in {name}, not in pixels of the image"
    return f"check the places, the stated diameter and {word('mpp')}"


def _unit_of(factor: float, evidence: Evidence) -> str | None:
    for picture in evidence.pictures:
        if abs(factor / picture.scale - 1) < 0.06:
            return f"pixels of {picture.name} (full resolution by {picture.scale:.3g})"
    if any(abs(factor / s.mpp - 1) < 0.06 and abs(s.mpp - 1) > 0.06 for s in evidence.scales if not s.of_spots):
        return "µm"
    return None


def _advice(chosen: Statement, other: Statement, evidence: Evidence) -> str:
    """Say what may be behind two scales that differ, or what settles it."""
    if chosen.of_spots != other.of_spots:
        spots, stated = (chosen, other) if chosen.of_spots else (other, chosen)
        if abs(spots.mpp - 1) < 0.02:
            return "; places seem to be in µm, not in pixels of the image"
        name = _unit_of(stated.mpp / spots.mpp, evidence)
        if name is not None:
            return f"; places seem to be in {name}, not in pixels of the image"
    return "" if chosen.source.startswith("the given") else f"; {word('mpp')} settles it"
