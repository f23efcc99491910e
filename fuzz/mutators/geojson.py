"""Outlines: shapes that are none, numbers that are none, other frames."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any


def mutate(path: Path, chance: Random) -> str:
    """Change the geometry of one region."""
    content = json.loads(path.read_text(encoding="utf-8"))
    features = content["features"] if isinstance(content, dict) else content
    feature = chance.choice(features)
    ring = feature["geometry"]["coordinates"][0]
    kind = chance.choice(
        ("bow", "open", "two points", "far", "tiny", "nan", "text", "3d", "kind", "nest", "crs", "many", "same")
    )
    if kind == "bow":
        ring[1], ring[2] = ring[2], ring[1]
    elif kind == "open":
        ring.pop()
    elif kind == "two points":
        del ring[2:]
    elif kind in ("far", "tiny"):
        factor = 1e12 if kind == "far" else 1e-6
        ring[:] = [[x * factor, y * factor] for x, y in ring]
    elif kind == "nan":
        ring[chance.randrange(len(ring))] = [float("nan"), 0]
    elif kind == "text":
        ring[chance.randrange(len(ring))] = ["1", "2"]
    elif kind == "3d":
        ring[:] = [[*point, 0] for point in ring]
    elif kind == "kind":
        feature["geometry"]["type"] = chance.choice(("Point", "Sphere", None, 7, "MultiPolygon", "LineString"))
    elif kind == "nest":
        feature["geometry"] = _nested(feature["geometry"], chance.choice((2, 50)))
    elif kind == "crs" and isinstance(content, dict):
        content["crs"] = chance.choice(({"type": "name", "properties": {"name": "EPSG:4326"}}, 7, {"properties": None}))
    elif kind == "many":
        features.extend([feature] * 300)
    else:
        ring[:] = [ring[0]] * 5
    path.write_text(json.dumps(content), encoding="utf-8")
    return f"outline: {kind}"


def _nested(geometry: Any, levels: int) -> Any:
    for _ in range(levels):
        geometry = {"type": "GeometryCollection", "geometries": [geometry]}
    return geometry
