"""Masks weighed against what the slide shows: the frame they were drawn in, and whether they lie on tissue."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import shapely
from jaxtyping import Float

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide
from mclstexp.data.tissue import find_tissue
from mclstexp.io.outlines import Frame, Outlines, read_outlines
from mclstexp.io.regions import Regions, place, possible_frames

_SIDE: Final = 400
"""A mask is looked at on a grid of so many points along each side."""
_BARE: Final = 0.1
"""A mask less of which lies on tissue was drawn elsewhere, in another unit, or round what is hardly stained."""
_CLEAR: Final = 1.5
"""One frame is right where so many times as much of the mask lies on tissue as in the other."""
CORNER: Final[dict[Frame, str]] = {
    "qupath": "at the corner of what was scanned, as in QuPath",
    "openslide": "at the corner of the glass, as in OpenSlide",
}
"""Where (0, 0) is, in words."""


def read_mask(path: Path | str, slide: Slide, *, frame: Frame | None = None) -> tuple[Regions, list[str], Frame | None]:
    """Read the regions to predict, and say what is doubtful of them.

    On a slide of which only a part was scanned (MRXS, SCN, some NDPI) QuPath counts from that part's corner and most
    other programs from the glass's. If nothing else tells, the frame is taken in which more of the mask lies on tissue.

    Parameters
    ----------
    path
        GeoJSON, see `mclstexp.io.outlines.read_outlines`.
    slide
        The slide it was drawn on.
    frame
        Its frame, where that is known.

    Returns
    -------
    The regions in level-0 pixels of the whole slide; a sentence for each doubt; and the frame, None where there is but
    one.

    Raises
    ------
    InputError
        As `mclstexp.io.regions.read_geojson`.
    """
    outlines, path = read_outlines(path), Path(path)
    said = []
    if outlines.ignored:
        classes = ", ".join(sorted(set(outlines.ignored)))
        said.append(f"{len(outlines.ignored)} regions of {path.name} are of ignored classes ({classes}): left out")
    frames = [frame] if frame is not None else possible_frames(outlines, slide)
    placed = {one: place(outlines, slide, one, path=path) for one in frames}
    tissue = _tissue(slide)
    if tissue is None:
        chosen = outlines.likely if len(frames) > 1 else frames[0]
        doubt = [_doubt(path, chosen, "no tissue is found to tell")] if len(frames) > 1 else []
    else:
        on_tissue = {one: overlap(regions, tissue) for one, regions in placed.items()}
        chosen, doubt = _choose(on_tissue, outlines, path)
        doubt += _bare(placed[chosen], tissue, on_tissue[chosen], slide=slide, path=path)
    return placed[chosen], said + doubt, chosen if slide.origin_px != (0, 0) else None


def overlap(regions: Regions, tissue: Regions, *, scale: float = 1.0) -> float:
    """Return how much of the smaller of two areas lies in the other: 1 where one holds the other, 0 apart.

    Parameters
    ----------
    regions, tissue
        The two, in level-0 pixels.
    scale
        What coordinates of the first are multiplied by.
    """
    points, each_px2 = _points(regions)
    within = tissue.locate(points * scale) >= 0
    mask_px2 = each_px2 * scale**2 * len(points)
    smaller_px2 = min(mask_px2, tissue.area_um2(1.0))
    return min(1.0, float(within.mean()) * mask_px2 / smaller_px2) if smaller_px2 > 0 else 0.0


def _choose(on_tissue: dict[Frame, float], outlines: Outlines, path: Path) -> tuple[Frame, list[str]]:
    """Take the frame that is better by far, else the one that the file's writer uses, and say if that is doubtful."""
    if len(on_tissue) == 1:
        return next(iter(on_tissue)), []
    usual = outlines.likely
    best = max(on_tissue, key=lambda frame: on_tissue[frame])
    if on_tissue[best] >= 2 * _BARE and on_tissue[best] >= _CLEAR * min(on_tissue.values()):
        return best, []
    numbers = " and ".join(f"{share:.0%} with (0, 0) {CORNER[one]}" for one, share in on_tissue.items())
    return usual, [_doubt(path, usual, f"{numbers} lies on tissue")]


def _doubt(path: Path, taken: Frame, why: str) -> str:
    other = "openslide" if taken == "qupath" else "qupath"
    advice = f"if it is wrong, give {word('mask_frame', other)}"
    return f"{path.name} may be drawn in either of two frames ({why}): {taken} is taken; {advice}"


def _bare(regions: Regions, tissue: Regions, share: float, *, slide: Slide, path: Path) -> list[str]:
    """Say if a mask lies beside the tissue."""
    if share >= _BARE:
        return []
    as_um = overlap(regions, tissue, scale=1 / slide.mpp)
    hint = f", and {as_um:.0%} if its numbers are µm, not pixels" if as_um > max(_BARE, 3 * share) else ""
    return [
        f"{share:.0%} of the mask {path.name} lies on the tissue of {slide.id}{hint}: check that it was drawn on it"
    ]


def _tissue(slide: Slide) -> Regions | None:
    try:
        return find_tissue(slide)
    except InputError:
        return None


def _points(regions: Regions) -> tuple[Float[np.ndarray, "n 2"], float]:
    """Return points spread evenly over regions, and the area that each stands for."""
    left, top, right, bottom = shapely.total_bounds(np.array(regions.polygons, dtype=object))
    step = max(right - left, bottom - top) / _SIDE
    x, y = np.meshgrid(np.arange(left + step / 2, right, step), np.arange(top + step / 2, bottom, step))
    grid = np.column_stack([x.ravel(), y.ravel()])
    inside = grid[regions.locate(grid) >= 0]
    if len(inside) >= len(regions):
        return inside, step**2
    centres = shapely.get_coordinates(shapely.point_on_surface(np.array(regions.polygons, dtype=object)))
    return centres, regions.area_um2(1.0) / len(regions)
