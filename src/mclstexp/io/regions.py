"""Regions of a slide, and GeoJSON as QuPath writes and opens it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import shapely
from jaxtyping import Int
from numpy.typing import ArrayLike

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide
from mclstexp.io.guard import guarded
from mclstexp.io.outlines import FRAME, Frame, Outlines, flat, is_geographic, read_outlines

FRAMES: Final[Sequence[Frame]] = get_args(Frame)


@dataclass(frozen=True, eq=False)
class Regions:
    """Named polygons on a slide, in level-0 pixels (column, row).

    Raises
    ------
    InputError
        If there is not one name to each polygon.
    """

    polygons: tuple[shapely.Polygon, ...]
    """Outlines, with their holes."""
    names: tuple[str, ...]
    """One for each polygon; the parts of an annotation share its name."""

    def __post_init__(self) -> None:
        if len(self.polygons) != len(self.names):
            msg = f"one name for each region expected, found {len(self.names)} for {len(self.polygons)} regions"
            raise InputError(msg)

    def __len__(self) -> int:
        return len(self.polygons)

    def locate(self, xy: ArrayLike) -> Int[np.ndarray, " n"]:
        """Say in which region points lie.

        Parameters
        ----------
        xy
            (n, 2) places in level-0 pixels.

        Returns
        -------
        (n,) number of the first region that covers the point, its border included; -1 where none does.
        """
        places = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        order = np.argsort(places[:, 0], kind="stable")
        x, y = places[order].T
        found = np.full(len(places), -1, dtype=np.int64)
        for number, polygon in enumerate(self.polygons):
            left, top, right, bottom = polygon.bounds
            start, stop = np.searchsorted(x, left), np.searchsorted(x, right, side="right")
            near = start + np.flatnonzero((y[start:stop] >= top) & (y[start:stop] <= bottom))
            near = near[found[near] < 0]
            shapely.prepare(polygon)
            found[near[shapely.intersects_xy(polygon, x[near], y[near])]] = number
        placed = np.empty_like(found)
        placed[order] = found
        return placed

    def area_um2(self, mpp: float) -> float:
        """Return the area covered in µm², counted once where regions overlap, at `mpp` µm per level-0 pixel."""
        polygons = np.array(self.polygons, dtype=object)
        one, other = shapely.STRtree(polygons).query(polygons, predicate="intersects")
        # a union is slow, and few regions need one
        shared = np.isin(np.arange(len(polygons)), one[one != other])
        area = shapely.area(polygons[~shared]).sum() + shapely.union_all(polygons[shared]).area
        return float(area) * mpp**2


def to_geojson(regions: Regions, *, slide: Slide | None = None) -> str:
    """Write regions as a GeoJSON FeatureCollection of annotations, which QuPath opens by File, Import objects.

    Parameters
    ----------
    regions
        What is written.
    slide
        The slide they lie on, to write them in QuPath's frame, which begins where the scanned area does; in pixels of
        the whole image without one.
    """
    left, top = (0, 0) if slide is None else slide.origin_px
    features = [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(shapely.transform(polygon, lambda xy: xy - np.array([left, top]))),
            "properties": {"objectType": "annotation", "name": name},
        }
        for polygon, name in zip(regions.polygons, regions.names, strict=True)
    ]
    said: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    return json.dumps(said if slide is None else {**said, FRAME: "qupath"})


@guarded("a GeoJSON file of regions")
def read_geojson(path: Path | str, *, slide: Slide, frame: Frame | None = None) -> Regions:
    """Read regions drawn on `slide`, as QuPath exports them (.geojson, .json, .geojson.gz); see `read_outlines`.

    What reaches over the slide's edge by a few pixels is cut off.

    Parameters
    ----------
    path
        The file; coordinates are level-0 pixels.
    slide
        The slide it was drawn on.
    frame
        Where its (0, 0) is on a slide of which a part was scanned: "qupath", the corner of that part; "openslide", the
        corner of the glass. By default what the file says, what alone can be, or what its writer uses.

    Returns
    -------
    Regions in the file's order, with the annotations' names, else their classes, else their numbers, in level-0 pixels.

    Raises
    ------
    InputError
        If the file is absent, damaged or no GeoJSON, has no polygon, or its coordinates are not the slide's pixels.
    """
    outlines = read_outlines(path)
    able = [frame] if frame is not None else possible_frames(outlines, slide)
    return place(outlines, slide, outlines.likely if outlines.likely in able else able[0], path=Path(path))


def possible_frames(outlines: Outlines, slide: Slide) -> list[Frame]:
    """Return the frames in which outlines lie on the slide: the one that is stated, or else one or both; never none.

    They are one where all of the slide was scanned: QuPath's then.
    """
    if slide.bounds_px == (0, 0, *slide.size_px):
        return ["qupath"]
    if outlines.frame is not None:
        return [outlines.frame]
    return [frame for frame in FRAMES if not _beside(outlines, slide, frame)] or [outlines.likely]


def place(outlines: Outlines, slide: Slide, frame: Frame, *, path: Path) -> Regions:
    """Put outlines on a slide; see `read_geojson`.

    Raises
    ------
    InputError
        If they do not lie on it.
    """
    found = _span(outlines)
    if is_geographic(outlines) or (outlines.earth and _beside(outlines, slide, frame)):
        msg = (
            f"coordinates in the slide's level-0 pixels expected in {path}, found a geographic system "
            f'({outlines.earth}) named in its "crs", {found}: export the regions in pixels, or take the entry out'
        )
        raise InputError(msg)
    left, top, right, bottom = _window(slide, frame)
    if _beside(outlines, slide, frame):
        msg = (
            f"regions within the {right - left} x {bottom - top} level-0 pixels of {slide.id} expected in {path}, "
            f"found {found}: export them in pixels of this slide, with the origin in its upper left corner"
        )
        raise InputError(msg)
    polygons = [shapely.transform(polygon, lambda xy: xy + np.array([left, top])) for polygon in outlines.polygons]
    bounds = shapely.total_bounds(np.array(polygons, dtype=object))
    if max(bounds[2:] - bounds[:2]) < 2:
        msg = (
            f"regions in level-0 pixels of {slide.id} ({right - left} x {bottom - top}) expected in {path}, found all "
            f"of them within a pixel or two ({found}): multiply coordinates between 0 and 1 by the slide's size"
        )
        raise InputError(msg)
    window, kept, names = shapely.box(0, 0, *slide.size_px), [], []
    for polygon, name in zip(polygons, outlines.names, strict=True):
        parts = [polygon] if window.covers(polygon) else flat(polygon.intersection(window))
        kept += parts
        names += [name] * len(parts)
    return Regions(tuple(kept), tuple(names))


def _window(slide: Slide, frame: Frame) -> tuple[int, int, int, int]:
    """Return what a frame shows of a slide: (left, top, right, bottom) in level-0 pixels."""
    return slide.bounds_px if frame == "qupath" else (0, 0, *slide.size_px)


def _beside(outlines: Outlines, slide: Slide, frame: Frame) -> bool:
    """Whether coordinates cannot be pixels of the frame."""
    left, top, right, bottom = _window(slide, frame)
    low_x, low_y, high_x, high_y = _bounds(outlines)
    # tools that outline on a thumbnail round by a pixel of it
    slack = max(5.0, max(slide.size_px) / 1000)
    return bool(min(low_x, low_y) < -slack or high_x > right - left + slack or high_y > bottom - top + slack)


def _bounds(outlines: Outlines) -> np.ndarray:
    return shapely.total_bounds(np.array(outlines.polygons, dtype=object))


def _span(outlines: Outlines) -> str:
    left, top, right, bottom = _bounds(outlines)
    return f"{left:.6g} to {right:.6g} across and {top:.6g} to {bottom:.6g} down"
