"""A predicted slide as a SpatialData store (the extra ``mclstexp[spatialdata]``)."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely
from anndata import AnnData

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide
from mclstexp.io.atomic import atomic_path
from mclstexp.io.predictions import storable

_THUMBNAIL_PX: Final = 2000
_REGION: Final = "region"
_INSTANCE: Final = "tile"
_TILES, _TISSUE, _TABLE = "tiles", "tissue", "table"


def write_spatialdata(predicted: AnnData, slide: Slide, path: Path) -> Path:
    """Write a prediction as a SpatialData store; the folder appears whole or not at all.

    The coordinate system "global" is level-0 pixels of the slide. The store holds images/SLIDE_thumbnail (at most 2000
    pixels, scaled to level 0), shapes/tiles (the squares that were read, named as the tiles are), shapes/tissue and a
    table that annotates the tiles. The slide itself is not copied: ``attrs["mclstexp"]`` says where it lies.

    Parameters
    ----------
    predicted
        A prediction of the whole slide, in memory or backed by its file.
    slide
        Which.
    path
        The ``.zarr`` folder; an earlier one is replaced.

    Raises
    ------
    InputError
        If the package spatialdata is absent or the place cannot be written to.
    """
    path, said = Path(path), predicted.uns[keys.PROVENANCE]
    with _quiet():
        try:
            import spatialdata  # noqa: PLC0415  an extra, and seconds to import
        except ImportError as error:
            msg = "writing SpatialData needs the package spatialdata, found none: pip install 'mclstexp[spatialdata]'"
            raise InputError(msg) from error
        shapes = {_TILES: _tiles(predicted, side_px=float(said["tile_side_px"]))}
        if (tissue := _tissue(said)) is not None:
            shapes[_TISSUE] = tissue
        store = spatialdata.SpatialData(
            images={f"{_plain_name(slide.id)}_thumbnail": _thumbnail(slide)},
            shapes=shapes,
            tables={_TABLE: _table(predicted)},
            attrs={keys.PROVENANCE: _reference(slide)},
        )
        with atomic_path(path) as temporary:
            store.write(temporary, update_sdata_path=False)
    return path


def _thumbnail(slide: Slide) -> Any:
    from spatialdata.models import Image2DModel  # noqa: PLC0415
    from spatialdata.transformations import Scale  # noqa: PLC0415

    image = slide.thumbnail(_THUMBNAIL_PX)
    # width and height each by its own: the thumbnail's are whole numbers
    to_slide = Scale([slide.size_px[0] / image.shape[1], slide.size_px[1] / image.shape[0]], axes=("x", "y"))
    planes = np.ascontiguousarray(np.moveaxis(image, -1, 0))
    return Image2DModel.parse(
        planes, dims=("c", "y", "x"), c_coords=["r", "g", "b"], transformations={"global": to_slide}
    )


def _tiles(predicted: AnnData, *, side_px: float) -> Any:
    x, y = np.asarray(predicted.obsm[keys.SPATIAL], np.float64).T
    half = side_px / 2
    return _shapes(shapely.box(x - half, y - half, x + half, y + half), index=predicted.obs_names.astype(str))


def _tissue(said: Any) -> Any:
    """Return the tissue's regions with their names, or None where none was recorded."""
    features = json.loads(said.get("tissue") or "{}").get("features", [])
    if not features:
        return None
    polygons = np.array([shapely.from_geojson(json.dumps(feature["geometry"])) for feature in features])
    names = [str((f.get("properties") or {}).get("name", i + 1)) for i, f in enumerate(features)]
    return _shapes(polygons, index=pd.RangeIndex(len(names)), name=pd.Categorical(names))


def _shapes(polygons: Any, *, index: pd.Index, **columns: Any) -> Any:
    from geopandas import GeoDataFrame  # type: ignore[import-untyped]  # noqa: PLC0415  comes with spatialdata
    from spatialdata.models import ShapesModel  # noqa: PLC0415
    from spatialdata.transformations import Identity  # noqa: PLC0415

    frame = GeoDataFrame(columns, geometry=polygons, index=index)
    return ShapesModel.parse(frame, transformations={"global": Identity()})


def _table(predicted: AnnData) -> AnnData:
    """Return the prediction with what a table needs to annotate tiles, its matrix shared and not copied."""
    from spatialdata.models import TableModel  # noqa: PLC0415

    held = predicted.to_memory() if predicted.isbacked else predicted
    ids = held.obs_names.astype(str)
    obs = held.obs.assign(**{_REGION: pd.Categorical([_TILES] * len(ids)), _INSTANCE: ids.to_numpy()})
    table = AnnData(held.X, obs=obs, var=held.var.copy(), obsm=dict(held.obsm), uns=storable(held.uns))
    return TableModel.parse(table, region=_TILES, region_key=_REGION, instance_key=_INSTANCE)


def _reference(slide: Slide) -> dict[str, Any]:
    path = getattr(slide, "path", None)
    where = {} if path is None else {"slide_path": str(Path(path).resolve())}
    return {"slide": slide.id, **where, "slide_mpp": slide.mpp, "slide_size_px": list(slide.size_px)}


def _plain_name(name: str) -> str:
    """Spell a slide's name as SpatialData's elements may be named."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return f"slide{plain}" if plain.startswith("__") else plain


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the package's announcements of its own future from the user."""
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning, UserWarning):
            warnings.simplefilter("ignore", kind)
        yield
