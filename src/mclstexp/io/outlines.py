"""The polygons of a GeoJSON file, in the numbers it has; `mclstexp.io.regions` puts them on a slide."""

from __future__ import annotations

import gzip
import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import shapely

from mclstexp.core.errors import InputError
from mclstexp.io.guard import guarded, reading

Frame = Literal["qupath", "openslide"]
"""Where a slide's (0, 0) is: the corner of what was scanned, as in QuPath; or of the whole glass, as in OpenSlide."""
FRAME: Final = "mclstexp:frame"
"""Member of a FeatureCollection that says its frame; readers of GeoJSON pass over what they do not know."""

_GZIP: Final = b"\x1f\x8b"
_PACKED: Final = (_GZIP, b"\xff\xfe", b"\xfe\xff")
"""How a file begins that is packed, or in UTF-16."""
_BEGINS: Final = b'{["-0123456789ntfNI'
"""How JSON begins; XML, tables and pictures of other programs do not."""
_GEOMETRIES: Final = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon")
_MEASURED: Final = {"cell", "detection", "tile", "PathCellObject", "PathDetectionObject", "PathTileObject"}
_QUPATH: Final = re.compile(r"Path|(annotation|detection|cell|tile|tma_core)$")
_EARTH: Final = re.compile(r"epsg|crs\s*(84|83|27)|wgs", re.IGNORECASE)
_DEGREES: Final = 180.0
_UNWANTED: Final = re.compile(
    r"(ignored?|exclu(de|ded|sion)|art[ei]fa(ct|kt)s?|holes?|background|glass|pen|ink|fold|blur(red)?|out.of.focus)",
    re.IGNORECASE,
)
"""Classes of what is no tissue to be looked at, as other programs name them."""
_REGION: Final = "region*"
"""QuPath's class for what lies around annotations: ignored like all that end in "*", but what lies within counts."""


@dataclass(frozen=True, eq=False)
class Outlines:
    """What a GeoJSON file outlines."""

    polygons: tuple[shapely.Polygon, ...]
    """Outlines with their holes, in the file's own numbers."""
    names: tuple[str, ...]
    """One for each polygon; the parts of an annotation share its name."""
    ignored: tuple[str, ...] = ()
    """Classes of the polygons that were left out, one for each: QuPath's that end in "*" are not to be analysed."""
    frame: Frame | None = None
    """The frame that the file states."""
    likely: Frame = "openslide"
    """The frame that programs that write such files use."""
    earth: str = ""
    """What it says of a geographic system: GeoPandas stamps one on pixels too."""


@dataclass(frozen=True, eq=False)
class _One:
    """A polygon of a file."""

    polygon: shapely.Polygon
    name: str
    kind: str = ""
    of_class: str = ""


@guarded("a GeoJSON file of regions")
def read_outlines(path: Path | str) -> Outlines:
    """Read the polygons of a GeoJSON file (.geojson, .json, .geojson.gz).

    A FeatureCollection, a list of features, one Feature or bare geometries are read. Points and lines are passed over,
    and so are QuPath's cells, detections and tiles where there are annotations. Annotations of a class that ends in
    "*" ("Ignore*") are left out, and cut out of the others. Self-crossing outlines are mended.

    Raises
    ------
    InputError
        If the file is absent, damaged or no GeoJSON, or has no polygon.
    """
    path = Path(path)
    with reading(path, "a GeoJSON file of regions"):
        raw = path.read_bytes()
        if raw[:100].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in _BEGINS and not raw.startswith(_PACKED):
            msg = (
                f"a GeoJSON file of regions expected in {path}, found another kind of file: export the annotations as "
                "GeoJSON, in pixels of the slide"
            )
            raise InputError(msg)
        document = json.loads(gzip.decompress(raw) if raw.startswith(_GZIP) else raw)
        try:
            found = [_One(area, *about) for geometry, *about in _features(document, path) for area in _areas(geometry)]
        except (AttributeError, IndexError, TypeError) as error:
            msg = "a feature that is not laid out as GeoJSON says"
            raise ValueError(msg) from error
    if any(one.kind not in _MEASURED for one in found):
        found = [one for one in found if one.kind not in _MEASURED]
    kept = [one for one in found if not one.of_class.endswith("*")]
    ignored = [one for one in found if one.of_class.endswith("*")]
    if doubted := sorted({one.of_class for one in kept if _UNWANTED.fullmatch(one.of_class)}):
        text = f"regions of class {', '.join(doubted)} in {path.name} are taken as tissue like any other: end the class"
        warnings.warn(f"{text} in * to leave them out, as QuPath does", stacklevel=4)
    areas = _without(kept, [one.polygon for one in ignored if one.of_class.lower() != _REGION])
    if not areas:
        what = f"{len(ignored)} of classes that are not to be analysed ({ignored[0].of_class})" if ignored else "none"
        msg = f"at least one polygon expected in {path}, found {what}: export the annotations that outline the regions"
        raise InputError(msg)
    crs = document.get("crs") if isinstance(document, dict) else None
    named = _EARTH.search(json.dumps(crs)) if crs else None
    stated = document.get(FRAME) if isinstance(document, dict) else None
    return Outlines(
        polygons=tuple(area for area, _ in areas),
        names=tuple(name for _, name in areas),
        ignored=tuple(one.of_class for one in ignored),
        frame=stated if stated in ("qupath", "openslide") else None,
        likely="qupath" if any(_QUPATH.match(one.kind) for one in found) else "openslide",
        earth=named[0] if named else "",
    )


def is_geographic(outlines: Outlines) -> bool:
    """Whether coordinates are degrees, or may be: a system is named, and none lies beyond what degrees reach."""
    bounds = shapely.total_bounds(np.array(outlines.polygons, dtype=object))
    return bool(outlines.earth) and bool(np.abs(bounds).max() <= _DEGREES)


def _without(kept: list[_One], cut: list[shapely.Polygon]) -> list[tuple[shapely.Polygon, str]]:
    """Give a number to polygons without a name, and cut out of each what is to be ignored."""
    tree = shapely.STRtree(cut)
    found = []
    for number, one in enumerate(kept, start=1):
        over = [cut[i] for i in tree.query(one.polygon, predicate="intersects")]
        parts = flat(one.polygon.difference(shapely.union_all(over))) if over else [one.polygon]
        found += [(part, one.name or str(number)) for part in parts]
    return found


def _features(document: Any, path: Path) -> Iterator[tuple[dict[str, Any], str, str, str]]:
    """Give (geometry, name, kind of QuPath object, class) of all that is in a GeoJSON document."""
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
        of_class = _class_name(said.get("classification"))
        name = str(said.get("name") or of_class)
        # versions of QuPath before 0.3 told the kind by the id
        yield from (
            (geometry, name, str(said.get("objectType") or document.get("id") or ""), of_class)
            for geometry, *_ in (_features(document["geometry"], path) if document.get("geometry") else ())
        )
    elif kind in _GEOMETRIES:
        yield document, "", "", ""
    else:
        found = f"a JSON {type(document).__name__} of type {kind!r}" if kind else f"a JSON {type(document).__name__}"
        msg = f"GeoJSON (a FeatureCollection of polygons) expected in {path}, found {found}: export it as GeoJSON"
        raise InputError(msg)


def _class_name(said: Any) -> str:
    """Return QuPath's class; one derived from others is written "Tumor: Ignore*", or as a list of their names."""
    if not isinstance(said, dict):
        return str(said or "").strip()
    names = said.get("names")
    return ": ".join(map(str, names)) if isinstance(names, list) else str(said.get("name") or "").strip()


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
            areas += [polygon] if polygon.is_valid else flat(shapely.make_valid(polygon))
    return [area for area in areas if area.area > 0]


def flat(geometry: shapely.Geometry) -> list[shapely.Polygon]:
    """Return the polygons of a mended geometry, which may be a collection with lines and points."""
    parts = shapely.get_parts(shapely.get_parts(geometry))  # twice: a collection may hold multipolygons
    return [part for part in parts if part.geom_type == "Polygon" and part.area > 0]
