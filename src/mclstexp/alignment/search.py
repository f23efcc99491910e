"""From coarse to fine: which way of placing the spots lets stain explain most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from jaxtyping import Float

from mclstexp.alignment.explained import Measured, explained
from mclstexp.alignment.placement import Placement, rotation, symmetries
from mclstexp.alignment.stain_map import StainMap
from mclstexp.core.progress import counted

_TURN_DEG: Final = 15.0
_SHIFTS_A_SIDE: Final = 13
"""Shifts that are tried along each axis: so many over an array's side, half of it to either side."""
_LEAST_ON_IMAGE: Final = 0.7
"""Share of spots that must lie on the image wherever they are put."""
N_PEAKS: Final = 8
"""Of the coarse search, that are climbed."""
_N_PEAKS_BY_CHANCE: Final = 3
"""And of each random map."""
_FINEST: Final = 0.02
"""Step in pitches at which climbing ends."""
_AT_ONCE: Final = 512
Freedom = Literal["shift", "rigid", "affine"]


@dataclass(frozen=True)
class Peak:
    """A placement and what stain explains there."""

    placement: Placement
    score: float


def search(
    measured: Measured, stain: StainMap, others: Float[np.ndarray, "m n k"], *, pitch_px: float
) -> tuple[list[Peak], Float[np.ndarray, " m"]]:
    """Try all turns and mirrors at all shifts on a coarse grid, and climb from the best.

    Returns
    -------
    The peaks, the highest first, and the highest of each random map, sought in the same way over fewer starts.
    """
    tried = [placement for placement in _grid(measured.xy, stain) if _on_image(placement, measured.xy, stain)]
    scores = np.empty((len(tried), len(others) + 1))
    with counted("trying placements", len(tried), unit="placement") as done:
        for start in range(0, len(tried), _AT_ONCE):
            some = tried[start : start + _AT_ONCE]
            places = np.stack([placement(measured.xy) for placement in some])
            scores[start : start + len(some)] = explained(measured, stain, places, others=others)
            done(len(some), "")
    found = []
    with counted("climbing", len(others) + 1, unit="map") as done:
        for column, values in enumerate([measured.values, *others]):
            most = N_PEAKS if column == 0 else _N_PEAKS_BY_CHANCE
            starts = _separate(tried, scores[:, column], measured.xy, least_px=2 * pitch_px, most=most)
            of = replace(measured, values=values)
            peaks = [climb(of, stain, start, pitch_px=pitch_px) for start in starts]
            found.append(sorted(peaks, key=lambda peak: -peak.score))
            done(1, "")
    return found[0], np.array([peaks[0].score for peaks in found[1:]])


def climb(measured: Measured, stain: StainMap, start: Placement, *, pitch_px: float, free: Freedom = "rigid") -> Peak:
    """Move on from a placement by steps that are halved where none helps: shifts, turns too, stretches too."""
    centre = measured.xy.mean(axis=0)
    reach_px = float(np.sqrt(((measured.xy - centre) ** 2).sum(axis=1).mean()))
    moves = _moves(reach_px, free)
    best = Peak(start, float(score_of(measured, stain, [start])[0]))
    step_px = (0.25 if free == "affine" else 1.0) * pitch_px
    while step_px > _FINEST * pitch_px:
        tried = [_after(best.placement, centre, move * sign * step_px) for move in moves for sign in (1, -1)]
        scores = score_of(measured, stain, tried)
        at = int(np.argmax(scores))
        if scores[at] > best.score + 1e-9:
            best = Peak(tried[at], float(scores[at]))
        else:
            step_px /= 2
    return best


def score_of(measured: Measured, stain: StainMap, placements: Sequence[Placement]) -> Float[np.ndarray, " t"]:
    """Say what stain explains at each placement."""
    return explained(measured, stain, np.stack([placement(measured.xy) for placement in placements]))[:, 0]


def apart_px(one: Placement, other: Placement, xy: Float[np.ndarray, "n 2"]) -> float:
    """Return how far apart two placements put spots (root mean square)."""
    return float(np.sqrt(((one(xy) - other(xy)) ** 2).sum(axis=1).mean()))


def _grid(xy: Float[np.ndarray, "n 2"], stain: StainMap) -> list[Placement]:
    centre = xy.mean(axis=0)
    found = symmetries(stain.size_px)
    axes = [np.linspace(-side / 2, side / 2, _SHIFTS_A_SIDE) for side in np.ptp(xy, axis=0)]
    shifts = [np.array([right, down]) for right in axes[0] for down in axes[1]]
    for mirror in (1.0, -1.0):
        for turn in np.arange(0, 360, _TURN_DEG):
            linear = rotation(turn) @ np.diag([mirror, 1.0])
            found += [Placement.about(linear, centre, shift) for shift in shifts]
    return found


def _on_image(placement: Placement, xy: Float[np.ndarray, "n 2"], stain: StainMap) -> bool:
    # a part of the spots tells enough
    return placement.is_identity or bool(stain.holds(placement(xy[::4])).mean() >= _LEAST_ON_IMAGE)


def _separate(
    tried: list[Placement], scores: Float[np.ndarray, " t"], xy: Float[np.ndarray, "n 2"], *, least_px: float, most: int
) -> list[Placement]:
    """Return the best placements, none near a better one."""
    found: list[Placement] = []
    for at in np.argsort(-scores, kind="stable"):
        if all(apart_px(tried[at], other, xy) > least_px for other in found):
            found.append(tried[at])
        if len(found) == most:
            break
    return found


def _moves(reach_px: float, free: Freedom) -> list[Float[np.ndarray, "2 3"]]:
    """Return small movements, (linear | shift): each moves spots at the usual distance by a pixel."""
    names = {
        "right": [[0, 0, 1], [0, 0, 0]],
        "down": [[0, 0, 0], [0, 0, 1]],
        "turn": [[0, -1, 0], [1, 0, 0]],
        "wider": [[1, 0, 0], [0, 0, 0]],
        "higher": [[0, 0, 0], [0, 1, 0]],
        "slanted": [[0, 1, 0], [1, 0, 0]],
    }
    n_free = {"shift": 2, "rigid": 3, "affine": 6}[free]
    unit = np.array([1 / reach_px, 1 / reach_px, 1])
    return [np.array(move) * unit for move in list(names.values())[:n_free]]


def _after(placement: Placement, centre: Float[np.ndarray, " 2"], move: Float[np.ndarray, "2 3"]) -> Placement:
    """Move on from a placement, about where it puts the middle; a turn stays one and does not grow."""
    turned = move[0, 1] == -move[1, 0] != 0
    linear = rotation(np.degrees(move[1, 0])) if turned else np.eye(2) + move[:, :2]
    middle = placement(centre[None])[0]
    return Placement.about(linear @ np.array(placement.matrix), centre, middle + move[:, 2] - centre)
