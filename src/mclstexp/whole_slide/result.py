"""A slide's prediction as AnnData, all but the expression, which may not fit into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from mclstexp.core import keys
from mclstexp.core.options import without_paths
from mclstexp.core.predictor import Predictor
from mclstexp.core.tiles import Slide, Tiles
from mclstexp.io.regions import to_geojson
from mclstexp.whole_slide.grid import Grid, check_scale
from mclstexp.whole_slide.pictures import spatial_entry
from mclstexp.whole_slide.settings import SlideSettings
from mclstexp.whole_slide.stream import Streamed


def frame(model: Predictor, grid: Grid, streamed: Streamed, *, settings: SlideSettings) -> ad.AnnData:
    """Return rows, columns, places and provenance of a slide's prediction, without ``X``.

    Returns
    -------
    AnnData (n_tiles, n_genes). ``obs``: section (the slide), array_col and array_row on the grid, tissue (name of the
    region), unreadable, reference_distance (of methods that retrieve). ``obsm["spatial"]``: tile centres in level-0
    pixels. ``uns["mclstexp"]``: how it was made, the size of a tile, the tissue as GeoJSON. ``uns["spatial"]``: a
    thumbnail, as scanpy and squidpy look for it.
    """
    tiles, slide = grid.tiles, grid.tiles.slide
    names = np.array([*grid.regions.names, ""], dtype=object)  # the last for -1, outside all
    obs = pd.DataFrame({keys.SECTION: slide.id}, index=pd.Index(tiles.ids.astype(object)))
    if tiles.array_xy is not None:
        obs[keys.ARRAY_COL], obs[keys.ARRAY_ROW] = tiles.array_xy.T.astype(int)
    obs[keys.TISSUE] = pd.Categorical(names[grid.region])
    obs[keys.UNREADABLE] = streamed.unreadable
    if streamed.reference_distance is not None:
        obs[keys.REFERENCE_DISTANCE] = streamed.reference_distance
    stride_um = tiles.spec.size_um if grid.stride_um is None else grid.stride_um
    shown_px = min(tiles.spec.size_um, stride_um) / slide.mpp
    return ad.AnnData(
        obs=obs,
        var=model.var_,
        obsm={keys.SPATIAL: np.array(tiles.xy)},
        uns={
            keys.PROVENANCE: {**model._describe(tiles), **_about(slide, grid, settings)},
            keys.SPATIAL: {slide.id: spatial_entry(slide, spot_px=shown_px)},
        },
    )


def furnish(model: Predictor, tiles: Tiles, predicted: ad.AnnData) -> ad.AnnData:
    """Add to a prediction at any places what a slide's has: picture, distance, and which slide it was made of.

    Parameters
    ----------
    model
        That made it.
    tiles
        Where.
    predicted
        What `Predictor.predict` returned; it is changed.
    """
    slide = tiles.slide
    distance = model.reference_distance(tiles)
    if distance is not None:
        predicted.obs[keys.REFERENCE_DISTANCE] = distance
    side_px = tiles.spec.size_um / slide.mpp
    predicted.uns[keys.PROVENANCE] |= {**which(slide), "tile_size_um": tiles.spec.size_um, "tile_side_px": side_px}
    predicted.uns[keys.SPATIAL] = {slide.id: spatial_entry(slide, spot_px=min(side_px, _apart_px(tiles)))}
    return predicted


def _apart_px(tiles: Tiles) -> float:
    """Return how far a place usually lies from the next; infinite where there is one alone."""
    if len(tiles) < 2:
        return float("inf")
    return float(np.median(cKDTree(tiles.xy).query(tiles.xy, k=2)[0][:, 1])) or float("inf")


def which(slide: Slide) -> dict[str, Any]:
    """Say which slide something was made of: name and hash of its file, and its size."""
    path = getattr(slide, "path", None)
    said: dict[str, Any] = {
        "slide_file": None if path is None else Path(path).name,
        "slide_sha256": slide.fingerprint(),
        "slide_size_px": list(slide.size_px),
    }
    return {name: value for name, value in said.items() if value is not None}


def _about(slide: Slide, grid: Grid, settings: SlideSettings) -> dict[str, Any]:
    """Say what is true of this slide and of how it was cut; h5ad keeps no None."""
    spec = grid.tiles.spec
    upsampled = check_scale(slide, spec, allowed=True)
    said: dict[str, Any] = {
        **which(slide),
        # places are pixels of the whole image; QuPath shows, and counts from the corner of, what was scanned
        "slide_bounds_px": list(slide.bounds_px) if slide.bounds_px != (0, 0, *slide.size_px) else None,
        "doubts": list(grid.doubts) or None,
        "stride_um": grid.stride_um,
        "tile_size_um": spec.size_um,
        "tile_side_px": spec.size_um / slide.mpp,
        "tissue": to_geojson(grid.regions),
        "upsampled": upsampled if upsampled > 1 else None,
        "settings": {k: str(v) for k, v in without_paths(vars(settings)).items() if v not in (None, ())},
    }
    return {name: value for name, value in said.items() if value is not None}
