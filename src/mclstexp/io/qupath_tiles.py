"""Tiles with values as QuPath opens them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from mclstexp.io.outlines import FRAME


def tiles_geojson(
    xy: Float[np.ndarray, "n_tiles 2"],
    *,
    side_px: float,
    values: Mapping[str, ArrayLike],
    origin_px: tuple[float, float],
) -> str:
    """Write tiles and their values as a GeoJSON FeatureCollection, which QuPath opens by File, Import objects.

    QuPath shows the values by Measure, Show measurement maps. It counts pixels from the corner of what was scanned,
    and so does the file.

    Parameters
    ----------
    xy
        (n_tiles, 2) centres, level-0 pixels of the whole image.
    side_px
        How wide a tile is drawn.
    values
        By name, (n_tiles,) measurements; a tile whose value is no finite number has none of that name.
    origin_px
        That corner, `Slide.origin_px`.
    """
    half = side_px / 2
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half], [-half, -half]])
    rings = (np.asarray(xy, np.float64) - np.array(origin_px, np.float64))[:, None] + corners
    columns = {name: np.asarray(column, np.float64) for name, column in values.items()}
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {
                "objectType": "tile",
                "measurements": {
                    name: float(f"{column[tile]:.7g}") for name, column in columns.items() if np.isfinite(column[tile])
                },
            },
        }
        for tile, ring in enumerate(rings.round(2).tolist())
    ]
    return json.dumps({"type": "FeatureCollection", "features": features, FRAME: "qupath"}, allow_nan=False)
