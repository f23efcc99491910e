"""Regions of a slide, and GeoJSON as QuPath writes and opens it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from jaxtyping import Int
from numpy.typing import ArrayLike

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide
from mclstexp.io.guard import guarded, reading

_GZIP: Final = b"\x1f\x8b"
_GEOMETRIES: Final = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon")
_MEASURED: Final = {"cell", "detection", "tile", "PathCellObject", "PathDetectionObject", "PathTileObject"}
_EARTH: Final = re.compile(r"epsg|crs\s*(84|83|27)|wgs", re.IGNORECASE)


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


def to_geojson(regions: Regions) -> str:
    """Write regions as a GeoJSON FeatureCollection of annotations, which QuPath opens by File, Import objects."""
    features = [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(polygon),
            "properties": {"objectType": "annotation", "name": name},
        }
        for polygon, name in zip(regions.polygons, regions.names, strict=True)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


@guarded("a GeoJSON file of regions")
def read_geojson(path: Path | str, *, slide: Slide) -> Regions:
    """Read regions drawn on `slide`, as QuPath exports them (.geojson, .json, .geojson.gz).

    A FeatureCollection, a list of features, one Feature or bare geometries are read. Points and lines are passed over,
    and so are QuPath's cells, detections and tiles where there are annotations. Self-crossing outlines are mended;
    what reaches over the slide's edge by a few pixels is cut off.

    Parameters
    ----------
    path
        The file; coordinates are level-0 pixels.
    slide
        The slide it was drawn on.

    Returns
    -------
    Regions in the file's order, with the annotations' names, else their classes, else their numbers.

    Raises
    ------
    InputError
        If the file is absent, damaged or no GeoJSON, has no polygon, or its coordinates are not the slide's pixels.
    """
    path = Path(path)
    with reading(path, "a GeoJSON file of regions"):
        raw = path.read_bytes()
        document = json.loads(gzip.decompress(raw) if raw.startswith(_GZIP) else raw)
        _check_pixels(document, path)
        try:
            outlined = [(area, *about) for geometry, *about in _features(document, path) for area in _areas(geometry)]
        except (AttributeError, IndexError, TypeError) as error:
            msg = "a feature that is not laid out as GeoJSON says"
            raise ValueError(msg) from error
    if any(kind not in _MEASURED for _, _, kind in outlined):
        outlined = [one for one in outlined if one[2] not in _MEASURED]
    if not outlined:
        msg = f"at least one polygon expected in {path}, found none: export the annotations that outline the regions"
        raise InputError(msg)
    _check_place(np.array([one[0] for one in outlined], dtype=object), slide=slide, path=path)
    window, polygons, names = shapely.box(0, 0, *slide.size_px), [], []
    for number, (polygon, name, _) in enumerate(outlined, start=1):
        parts = [polygon] if window.covers(polygon) else _flat(polygon.intersection(window))
        polygons += parts
        names += [name or str(number)] * len(parts)
    return Regions(tuple(polygons), tuple(names))


def _check_pixels(document: Any, path: Path) -> None:
    crs = document.get("crs") if isinstance(document, dict) else None
    named = _EARTH.search(json.dumps(crs)) if crs else None
    if named:
        msg = (
            f"coordinates in the slide's level-0 pixels expected in {path}, found a geographic system ({named[0]}) "
            'named in its "crs": export the regions in pixels, or take the entry out if they are'
        )
        raise InputError(msg)


def _features(document: Any, path: Path) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Give (geometry, name, kind of QuPath object) of all that is in a GeoJSON document."""
    kind = document.get("type") if isinstance(document, dict) else None
    if isinstance(document, list):
        for item in document:
            yield from _features(item, path)
    elif kind == "FeatureCollection":
        yield from _features(list(document["features"]), path)
    elif kind == "GeometryCollection":
        yield from _features(list(document["geometries"]), path)
    elif kind == "Feature":
        said = document.get("properties") or {}
        name = str(said.get("name") or _class_name(said.get("classification")) or "")
        # versions of QuPath before 0.3 told the kind by the id
        yield from (
            (geometry, name, str(said.get("objectType") or document.get("id") or ""))
            for geometry, _, _ in (_features(document["geometry"], path) if document.get("geometry") else ())
        )
    elif kind in _GEOMETRIES:
        yield document, "", ""
    else:
        found = f"a JSON {type(document).__name__} of type {kind!r}" if kind else f"a JSON {type(document).__name__}"
        msg = f"GeoJSON (a FeatureCollection of polygons) expected in {path}, found {found}: export it as GeoJSON"
        raise InputError(msg)


def _class_name(said: Any) -> str:
    return str((said.get("name") or "") if isinstance(said, dict) else (said or ""))


def _areas(geometry: dict[str, Any]) -> list[shapely.Polygon]:
    """Make valid polygons of a GeoJSON geometry; of points, lines and outlines without area there are none."""
    if geometry["type"] not in ("Polygon", "MultiPolygon"):
        return []
    shapes = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    areas: list[shapely.Polygon] = []
    for rings in shapes:
        points = [np.asarray(ring, dtype=np.float64) for ring in rings]
        if any(len(ring) and (ring.ndim != 2 or ring.shape[1] < 2) for ring in points):
            msg = "a ring that is not a list of (x, y) pairs"
            raise ValueError(msg)
        if not all(np.isfinite(ring).all() for ring in points):
            msg = "coordinates that are not finite"
            raise ValueError(msg)
        # a ring closes on its first point, so that a triangle has four
        outlines = [ring[:, :2] if len(ring) - np.array_equal(ring[:1], ring[-1:]) >= 3 else None for ring in points]
        if outlines and outlines[0] is not None:
            polygon = shapely.Polygon(outlines[0], [hole for hole in outlines[1:] if hole is not None])
            areas += [polygon] if polygon.is_valid else _flat(shapely.make_valid(polygon))
    return [area for area in areas if area.area > 0]


def _flat(geometry: shapely.Geometry) -> list[shapely.Polygon]:
    """Return the polygons of a mended geometry, which may be a collection with lines and points."""
    parts = shapely.get_parts(shapely.get_parts(geometry))  # twice: a collection may hold multipolygons
    return [part for part in parts if part.geom_type == "Polygon" and part.area > 0]


def _check_place(polygons: np.ndarray, *, slide: Slide, path: Path) -> None:
    """Refuse coordinates that cannot be level-0 pixels of the slide."""
    left, top, right, bottom = shapely.total_bounds(polygons)
    width, height = slide.size_px
    # tools that outline on a thumbnail round by a pixel of it
    slack = max(5.0, max(slide.size_px) / 1000)
    found = f"{left:.6g} to {right:.6g} across and {top:.6g} to {bottom:.6g} down"
    if min(left, top) < -slack or right > width + slack or bottom > height + slack:
        msg = (
            f"regions within the {width} x {height} level-0 pixels of {slide.id} expected in {path}, found {found}: "
            "export them in pixels of this slide, with the origin in its upper left corner"
        )
        raise InputError(msg)
    if max(right - left, bottom - top) < 2:
        msg = (
            f"regions in level-0 pixels of {slide.id} ({width} x {height}) expected in {path}, found all of them "
            f"within a pixel or two ({found}): multiply coordinates between 0 and 1 by the slide's size"
        )
        raise InputError(msg)
