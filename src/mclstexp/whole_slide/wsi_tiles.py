"""What a `WSIData` store of LazySlide's world holds, as ours: its slide, its tiles, its features."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import scipy.sparse
from anndata import AnnData
from jaxtyping import Float
from numpy.typing import NDArray

from mclstexp.core import identity
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.data.recent_features import LIMIT_BYTES, RecentFeatures
from mclstexp.io.pixel_sources import Box, PixelSource
from mclstexp.io.slides import FileSlide, open_slide
from mclstexp.sight.embed import embed_tiles, features_kept_in, frozen_encoder

REGION_KEY: Final = "library_id"
"""obs of a table of the store: the name of the shapes it describes."""
INSTANCE_KEY: Final = "tile_id"
"""obs of a table of the store, and a column of the shapes: which tile."""
_SIZE_TOLERANCE: Final = 0.01  # as an mpp is known; tiles are whole pixels, so a pixel is always let in
_N_COMPARED: Final = 8
_PRECISIONS: Final = ("float32", "bfloat16")


@final
class ReaderPixels(PixelSource):
    """The pixels of a store's own reader, for slides that only it opens (CZI, iSyntax, a scene of several)."""

    def __init__(self, wsi: Any) -> None:
        properties = wsi.properties
        self._reader, self._turn = wsi.reader, threading.Lock()  # not every reader bears two threads
        self.sizes_px = tuple((int(width), int(height)) for height, width in properties.level_shape)
        self._scales = [float(scale) for scale in properties.level_downsample]

    def region(self, level: int, box: Box) -> NDArray[np.uint8]:
        """See `PixelSource.region`."""
        left, top, right, bottom = box
        scale = self._scales[level]
        with self._turn:
            pixels = self._reader.get_region(
                round(left * scale), round(top * scale), right - left, bottom - top, level=level
            )
        return np.ascontiguousarray(pixels[:, :, :3], np.uint8)


def slide_of(wsi: Any) -> Slide:
    """Open the slide of a store, at the scale the store has for it.

    Raises
    ------
    InputError
        If the store does not know its µm per pixel or its slide is not a file.
    """
    if not wsi.properties.mpp:
        msg = f"{wsi.name}: the slide's µm per pixel expected in the store, found none: call wsi.set_mpp(…) first"
        raise InputError(msg)
    path = Path(str(getattr(wsi.reader, "file", "")))
    if not path.is_file():
        msg = f"{wsi.name}: a store over a slide file expected, found one over {path}: open the file with open_wsi"
        raise InputError(msg)
    height, width = (int(side) for side in wsi.properties.shape)
    mpp = float(wsi.properties.mpp)
    try:
        slide = open_slide(path, mpp=mpp)
    except InputError:  # a format that only the store's reader knows
        return FileSlide(path, ReaderPixels(wsi), id=path.stem, mpp=mpp)
    return slide if slide.size_px == (width, height) else FileSlide(path, ReaderPixels(wsi), id=slide.id, mpp=mpp)


def tiles_of(wsi: Any, tile_key: str, *, spec: TileSpec) -> tuple[Tiles, Float[np.ndarray, "n_tiles 2"]]:
    """Take the tiles of a store as they are.

    Parameters
    ----------
    wsi
        A ``wsidata.WSIData``.
    tile_key
        Name of the tiles among its shapes.
    spec
        Size and scale at which the model looks; the tiles must cover as much tissue.

    Returns
    -------
    The tiles in the order of the shapes, their ids the shapes' ``tile_id``; and their upper left corners in level-0
    pixels, by which the store's world calls them.

    Raises
    ------
    InputError
        If there are no such shapes, they are of another size, or the slide cannot be opened.
    """
    if tile_key not in wsi.shapes:
        known = ", ".join(sorted(wsi.shapes)) or "none"
        msg = f"{wsi.name}: tiles expected in shapes[{tile_key!r}], found {known}: make them, {_advice(spec)}"
        raise InputError(msg)
    slide = slide_of(wsi)
    shapes = wsi.shapes[tile_key]
    bounds = shapes.bounds.to_numpy(np.float64)
    side_um = (bounds[:, 2:] - bounds[:, :2]) * slide.mpp
    wrong = np.abs(side_um - spec.size_um) > max(_SIZE_TOLERANCE * spec.size_um, slide.mpp)
    if wrong.any():
        width, height = side_um[wrong.any(axis=1)][0]
        msg = (
            f"{wsi.name}: tiles of {spec.size_um:g} µm expected by the model, found {width:.4g} by {height:.4g} µm in "
            f"shapes[{tile_key!r}]: make them anew, {_advice(spec)}"
        )
        raise InputError(msg)
    ids = shapes.get(INSTANCE_KEY, shapes.index)
    centres = (bounds[:, :2] + bounds[:, 2:]) / 2
    return Tiles(slide, centres, ids.astype(str).to_numpy(np.str_), spec=spec), bounds[:, :2]


def _advice(spec: TileSpec) -> str:
    return f"zs.pp.tile_tissues(wsi, {spec.size_px}, mpp={spec.mpp:g})"


def encoder_name(encoder: str) -> str:
    """Return the name of an encoder's architecture in timm, by which LazySlide calls its features."""
    if encoder == "efficientnet_lite0":
        return f"tf_{encoder}"
    return encoder.removeprefix("random:").partition("@")[0].rpartition("/")[2]


def read_features(table: AnnData, tiles: Tiles, *, tile_key: str) -> tuple[NDArray[np.int_], NDArray[np.float32]]:
    """Read a table of features of a store.

    Parameters
    ----------
    table
        One row a tile, found again by ``tile_id``; dense or sparse, of any floating point type.
    tiles
        What `tiles_of` returned.
    tile_key
        The shapes that the table must describe.

    Returns
    -------
    (n,) rows of `tiles` that have features, and (n, dim) float32 the features; rows that are not finite are left out.

    Raises
    ------
    InputError
        If the table describes other shapes.
    """
    region = table.uns.get("spatialdata_attrs", {}).get("region", tile_key)
    if tile_key not in np.atleast_1d(region):
        msg = f"features of shapes[{tile_key!r}] expected, found a table of {region}: name another feature_key"
        raise InputError(msg)
    ids = table.obs.get(INSTANCE_KEY, table.obs_names).astype(str)
    values = np.asarray(table.X.toarray() if scipy.sparse.issparse(table.X) else table.X, np.float32)
    place = {name: row for row, name in enumerate(ids)}
    there = np.array([place.get(name, -1) for name in tiles.ids.tolist()], dtype=int)
    rows = np.flatnonzero(there >= 0)
    rows = rows[np.isfinite(values[there[rows]]).all(axis=1)]
    return rows, values[there[rows]]


def hold(tiles: Tiles, encoder: str, features: Float[np.ndarray, "n_tiles dim"]) -> RecentFeatures:
    """Return a store in which `embed_tiles` finds these features instead of computing them.

    Raises
    ------
    InputError
        If they are not as long as the encoder's.
    """
    check_length(encoder, tiles, features)
    store = RecentFeatures(LIMIT_BYTES + 2 * features.nbytes)
    for precision in _PRECISIONS:  # a method may ask for either
        sight = {**frozen_encoder(encoder), "precision": precision}
        key = identity.of_features(tiles.slide, tiles.spec, sight=sight)
        store.under(key).add(tiles.xy, features)
    return store


def check_length(encoder: str, tiles: Tiles, features: Float[np.ndarray, "n_tiles dim"]) -> None:
    """Refuse features that cannot be the encoder's."""
    dim = embed_tiles(tiles.take(np.arange(0)), encoder).shape[1]
    if features.shape[1] != dim:
        msg = (
            f"{dim} features a tile expected of {encoder}, found {features.shape[1]}: name the table of that "
            "encoder's features with feature_key"
        )
        raise InputError(msg)


def difference(tiles: Tiles, encoder: str, features: Float[np.ndarray, "n_tiles dim"]) -> float:
    """Say how far features are from those this package computes, on a few tiles.

    Returns
    -------
    Median over up to eight tiles of the difference's length divided by the embedding's: 0 the same.
    """
    if len(tiles) == 0:
        return 0.0
    some = np.unique(np.linspace(0, len(tiles) - 1, _N_COMPARED).astype(int))
    with features_kept_in(RecentFeatures()):
        own = embed_tiles(tiles.take(some), encoder)
    return float(np.median(np.linalg.norm(features[some] - own, axis=1) / np.linalg.norm(own, axis=1)))
