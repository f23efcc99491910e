"""`align`: whether spots lie where their image says, and where they lie if not."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, TypedDict

import numpy as np
from jaxtyping import Float

from mclstexp.alignment.explained import Measured
from mclstexp.alignment.landmarks import fit_landmarks
from mclstexp.alignment.placement import Placement, rotation, symmetries
from mclstexp.alignment.search import Freedom, Peak, apart_px, climb, score_of, search
from mclstexp.alignment.stain_map import StainMap
from mclstexp.analysis.spatial_null import draw_signs, moran_basis
from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.measured import has_counts
from mclstexp.core.section import Section
from mclstexp.io.pitch import neighbour_distance_px

LEAST_GAIN: Final = 0.04
"""What stain must explain more, of 1, before spots are moved, and for each kind of movement that is less simple.

Chosen on synthetic sections and mob_st, which lie right: there climbing from where spots are gained up to 0.03.
"""
LEAST_SPOTS: Final = 80
"""Fewer tell nothing."""
_N_BY_CHANCE: Final = 24
"""Random maps; the smallest possible p is 1 / 25."""
_P: Final = 0.05
_MOST_SPOTS: Final = (400, 1500)
"""Spots that the search looks at, and the judgement of what it finds."""
_RIVAL_PITCHES: Final = 3.0
"""A peak so far from the best is another place, and no neighbour of it."""
_LEAST_PITCHES: Final = 0.5
"""Nothing is moved by less than half the distance of spots: published sections are placed no better."""
_FARTHEST_PITCHES: Final = 12
_LEAST_PITCH_UM: Final = 50.0
"""Of cells and small bins, which lie closer than stain is averaged over."""
Verdict = Literal["right", "moved", "unknown"]
Kind = Literal["", "symmetry", "shift", "symmetry and shift", "rigid", "affine", "landmarks"]


@dataclass(frozen=True)
class Alignment:
    """What was found of where a section's spots lie."""

    verdict: Verdict
    """"right" (they stay exactly where they are), "moved", or "unknown": the stain tells nothing."""
    placement: Placement
    """What puts them right; the identity unless `verdict` is "moved"."""
    text: str
    """One sentence for people."""
    kind: Kind = ""
    """How they are moved: by a "symmetry" of the image, a "shift", both, a turn too ("rigid"), stretched too
    ("affine"); or by "landmarks"."""
    explained: float = float("nan")
    """What stain explains of expression where they are put, 0 to 1."""
    explained_before: float = float("nan")
    """And where they were."""
    explained_by_chance: float = float("nan")
    """The most that it explains anywhere, of random maps that are as smooth: the 95th percentile."""
    p: float = float("nan")
    """How often random maps reach as much."""
    tolerance_um: float = float("nan")
    """By so much spots could be shifted without `LEAST_GAIN` being lost: what the finding is worth."""

    def mend(self, section: Section) -> Section:
        """Return a section whose spots lie where they belong; what was done is in ``uns["alignment"]``."""
        counts = section.counts.copy()
        counts.uns[keys.ALIGNMENT] = self.record()
        tiles = replace(section.tiles, xy=self.placement(section.tiles.xy))
        return replace(section, tiles=tiles, counts=counts)

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for ``uns``."""
        said = asdict(self)
        placement = said.pop("placement")
        return {**said, "matrix": np.array(placement["matrix"]), "shift_px": np.array(placement["shift_px"])}


def align(section: Section, *, seed: int = 0) -> Alignment:
    """Find where a section's spots lie on its image, from what local stain explains of their expression.

    Fifteen stain numbers (those of the method `colour`) of the place under each spot are asked to explain its total
    count and the leading components of its expression, cross-validated over regions of the array. All turns and
    mirrors are tried at shifts of up to half the array, then the best are climbed. Spots are moved only where that is
    beyond chance (random maps as smooth as the measured ones are sought in the same way), where stain explains
    `LEAST_GAIN` more than where they were, and where no other place explains nearly as much; else they stay exactly
    where they are. Of the kinds of movement the simplest is taken that comes within `LEAST_GAIN` of the best.

    It looks at measured expression: what is learnt from aligned sections may be tested only on others.

    Parameters
    ----------
    section
        A measured section.
    seed
        Of the random maps and of which spots are looked at where there are many.

    Raises
    ------
    InputError
        If there are fewer than `LEAST_SPOTS` spots with counts, or all lie in one place.
    """
    n_spots = int(has_counts(section).sum())
    pitch_px = neighbour_distance_px(section.tiles.xy)
    if n_spots < LEAST_SPOTS or pitch_px is None:
        msg = f"{section.id}: at least {LEAST_SPOTS} spots with counts expected, to align them, found {n_spots}"
        raise InputError(msg)
    mpp = section.tiles.slide.mpp
    pitch_px = max(pitch_px, _LEAST_PITCH_UM / mpp)
    rng = np.random.default_rng(seed)
    stain, measured = StainMap.of(section.tiles.slide), Measured.of(section)
    few, more = (measured.some(most, rng) for most in _MOST_SPOTS)
    peaks, chance = search(few, stain, _random_maps(few, rng), pitch_px=pitch_px)
    top = max(peaks[0].score, float(score_of(few, stain, [Placement()])[0]))
    by_chance = float(np.quantile(chance, 1 - _P)), float((1 + (chance >= top).sum()) / (1 + len(chance)))
    starts = [Placement(), *(peak.placement for peak in peaks[:4])]
    found = [climb(more, stain, start, pitch_px=pitch_px) for start in starts]
    return _judged(_Found(more, stain, pitch_px), found, by_chance=by_chance, mpp=mpp)


def align_by_landmarks(section: Section, pairs: Float[np.ndarray, "n 4"]) -> Alignment:
    """Move a section's spots as pairs of points say (`read_landmarks`).

    Raises
    ------
    InputError
        If the points lie on a line.
    """
    placement, left_px = fit_landmarks(pairs, where=section.id)
    mpp = section.tiles.slide.mpp
    how = placement.text(centre=section.tiles.xy.mean(axis=0), mpp=mpp)
    text = f"by {len(pairs)} landmarks spots belong {how}; {left_px * mpp:.0f} µm between the points are left"
    return Alignment("moved", placement, text, "landmarks", tolerance_um=left_px * mpp)


def _random_maps(measured: Measured, rng: np.random.Generator) -> Float[np.ndarray, "m n k"]:
    """Draw maps that are as smooth as the measured ones, and as much alike, and lie elsewhere."""
    basis = moran_basis(measured.xy)
    signs = draw_signs(rng, n_permutations=_N_BY_CHANCE, basis=basis)
    share = basis.T @ measured.values
    return np.stack([basis @ (sign[:, None] * share) for sign in signs])


class _Numbers(TypedDict):
    explained_before: float
    explained_by_chance: float
    p: float


@dataclass(frozen=True, eq=False)
class _Found:
    """What is asked again while a finding is judged."""

    measured: Measured
    stain: StainMap
    pitch_px: float

    def score(self, placement: Placement) -> float:
        return float(score_of(self.measured, self.stain, [placement])[0])

    def climbed(self, start: Placement, free: Freedom) -> Peak:
        return climb(self.measured, self.stain, start, pitch_px=self.pitch_px, free=free)


def _judged(found: _Found, peaks: list[Peak], *, by_chance: tuple[float, float], mpp: float) -> Alignment:
    xy, (chance, p) = found.measured.xy, by_chance
    before, best = found.score(Placement()), max(peaks, key=lambda peak: peak.score)
    stretched = found.climbed(best.placement, "affine")
    most = max(best.score, stretched.score, before)
    numbers = _Numbers(explained_before=before, explained_by_chance=chance, p=p)
    said = f"stain explains {before:.2f} of expression where spots are, {most:.2f} at best"
    advice = "look at the overlay, or give landmarks"
    if p > _P:
        text = f"{said}, and {chance:.2f} of random maps (p {p:.2g}): it does not tell where they lie; {advice}"
        return Alignment("unknown", Placement(), text, explained=before, **numbers)
    near = apart_px(best.placement, Placement(), xy) < _LEAST_PITCHES * found.pitch_px
    if near or before >= most - LEAST_GAIN:
        tolerance_um = _tolerance_px(found, Placement()) * mpp
        text = f"{said} ({chance:.2f} of random maps): they stay; {tolerance_um:.0f} µm off would have shown"
        return Alignment("right", Placement(), text, explained=before, tolerance_um=tolerance_um, **numbers)
    far = [peak for peak in peaks if apart_px(peak.placement, best.placement, xy) > _RIVAL_PITCHES * found.pitch_px]
    rival = max((peak.score for peak in far), default=0.0)
    if rival > most - LEAST_GAIN:
        text = f"{said}, but {rival:.2f} at another place: it does not tell which is right; {advice}"
        return Alignment("unknown", Placement(), text, explained=before, **numbers)
    kind, chosen = _simplest(found, best, stretched, least=most - LEAST_GAIN)
    tolerance_um = _tolerance_px(found, chosen.placement) * mpp
    how = chosen.placement.text(centre=xy.mean(axis=0), mpp=mpp)
    text = f"{said} ({chance:.2f} of random maps): they belong {how}, within {tolerance_um:.0f} µm"
    return Alignment("moved", chosen.placement, text, kind, chosen.score, tolerance_um=tolerance_um, **numbers)


def _simplest(found: _Found, best: Peak, stretched: Peak, *, least: float) -> tuple[Kind, Peak]:
    """Return the simplest kind of movement that explains enough, and the best of it."""
    exact = [Peak(placement, found.score(placement)) for placement in symmetries(found.stain.size_px)[1:]]
    turned = max(exact, key=lambda peak: peak.score)
    if turned.score >= least:
        return "symmetry", turned
    centre = found.measured.xy.mean(axis=0)
    middle = best.placement(centre[None])[0] - centre
    linear = np.array(best.placement.matrix)
    kinds: tuple[tuple[Kind, Any], ...] = (("shift", np.eye(2)), ("symmetry and shift", np.round(linear)))
    for kind, nearest in kinds:
        if abs(np.linalg.det(nearest)) == 1:
            shifted = found.climbed(Placement.about(nearest, centre, middle), "shift")
            if shifted.score >= least:
                return kind, shifted
    return ("rigid", best) if best.score >= least else ("affine", stretched)


def _tolerance_px(found: _Found, placement: Placement) -> float:
    """Return by how much spots can be shifted before stain explains `LEAST_GAIN` less, on average over directions."""
    steps = np.arange(0.25, _FARTHEST_PITCHES, 0.25) * found.pitch_px
    ways = [rotation(degrees) @ np.array([1.0, 0.0]) for degrees in range(0, 360, 45)]
    here, shift = found.score(placement), np.array(placement.shift_px)
    for step in steps:
        moved = [replace(placement, shift_px=tuple(shift + step * way)) for way in ways]
        if score_of(found.measured, found.stain, moved).mean() < here - LEAST_GAIN:
            return float(step)
    return float(steps[-1])
