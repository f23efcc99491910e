"""SpatialData stores: a table of counts, the shapes it annotates and an image (the extra ``mclstexp[spatialdata]``)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final, final

import numpy as np
from anndata import AnnData
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.io.anndata_scale import array_places, gather, scale_statements
from mclstexp.io.guard import guarded, reading
from mclstexp.io.patients import patient_of
from mclstexp.io.raw_counts import raw_counts
from mclstexp.io.slides import ArraySlide
from mclstexp.io.sparse_checks import check_sparse
from mclstexp.io.witnesses import Statement, settle_mpp, tell, weigh
from mclstexp.io.zarr_store import check_zarr

_MARGIN_PX: Final = 4
"""Pixels beyond the tile that resampling may look at, per pixel of reduction."""
_ROWS: Final = 1024
_AGREE_PX: Final = 1.0
"""Up to so many pixels, coordinate systems say the same."""


@final
class ElementSlide(Slide):
    """A slide over an image element: lazy arrays (3, height, width), the largest first.

    Only the part of the level that a tile needs is computed; `ArraySlide` does the geometry on it.

    Raises
    ------
    InputError
        If the levels are not RGB uint8.
    """

    def __init__(self, levels: list[Any], *, mpp: float, id: str) -> None:  # noqa: A002 — the name in `Slide`
        first = levels[0]
        if first.dtype != np.uint8 or first.ndim != 3 or first.shape[0] < 3:
            found = f"{first.shape} {first.dtype}"
            msg = f"{id}: an RGB image of 8 bits expected, found {found}: choose another with {word('image')}"
            raise InputError(msg)
        self.id, self.mpp, self._levels = id, mpp, levels
        self.size_px = (int(first.shape[2]), int(first.shape[1]))

    def read(self, xy: ArrayLike, spec: TileSpec) -> NDArray[np.uint8]:
        """See `Slide.read`."""
        wanted = spec.mpp / self.mpp
        level, scale = self._level(wanted)
        centre = np.asarray(xy, np.float64) / scale
        reduction = max(1.0, float((wanted / scale).max()))
        reach = spec.size_um / self.mpp / scale / 2 + _MARGIN_PX * reduction
        limit = np.array([level.shape[2], level.shape[1]])
        start = np.clip(np.floor(centre - reach), 0, limit).astype(int)
        stop = np.clip(np.ceil(centre + reach), 0, limit).astype(int)
        if (stop <= start).any():
            return np.full((spec.size_px, spec.size_px, 3), 255, np.uint8)
        part = _rgb(level[:3, start[1] : stop[1], start[0] : stop[0]], self.id)
        return ArraySlide(part, mpp=float(self.mpp * scale.mean()), id=self.id).read(centre - start, spec)

    def thumbnail(self, max_size_px: int) -> NDArray[np.uint8]:
        """See `Slide.thumbnail`."""
        level, _ = self._level(max(self.size_px) / max_size_px)
        return ArraySlide(_rgb(level[:3], self.id), mpp=self.mpp, id=self.id).thumbnail(max_size_px)

    def fingerprint(self) -> str:
        """See `Slide.fingerprint`; over the pixels of the largest level."""
        level = self._levels[0]
        digest = hashlib.sha256(str(level.shape).encode())
        for row in range(0, level.shape[1], _ROWS):
            digest.update(_rgb(level[:3, row : row + _ROWS], self.id).tobytes())
        return digest.hexdigest()

    def _level(self, wanted: float) -> tuple[Any, NDArray[np.float64]]:
        """Return the coarsest level still as fine as `wanted` level-0 pixels per pixel, and its scale (x, y)."""
        scales = [np.array(self.size_px) / (level.shape[2], level.shape[1]) for level in self._levels]
        best = max(i for i, scale in enumerate(scales) if i == 0 or scale.max() <= wanted * 1.01)
        return self._levels[best], scales[best]


def looks_like_spatialdata(path: Path | str) -> bool:
    """Whether `path` is a SpatialData store: a Zarr folder with images and tables."""
    path = Path(path)
    is_zarr = any((path / name).is_file() for name in ("zarr.json", ".zgroup"))
    return is_zarr and (path / "images").is_dir() and any((path / name).is_dir() for name in ("tables", "table"))


@guarded("a SpatialData store")
def read_spatialdata(
    path: Path | str,
    *,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    table: str | None = None,
    image: str | None = None,
    coordinate_system: str | None = None,
    id: str | None = None,  # noqa: A002 — the field's name in Section
) -> Section:
    """Read a section from a SpatialData store.

    Parameters
    ----------
    path
        The ``.zarr`` folder.
    spec
        Size and scale of the tiles.
    mpp
        µm per pixel of the image; by default what the table says of its spots, as in `read_h5ad`.
    table
        Name of the table of raw counts; the only one by default.
    image
        Name of the image; by default the only one, or the only one named ``*full_image``.
    coordinate_system
        Name of the coordinate system in which the table's shapes and the image lie, where they share several that
        disagree.
    id
        Name of the section; the store's by default.

    Returns
    -------
    Section
        Tiles at the shapes' centres, brought to pixels of the image through the coordinate system they share.

    Raises
    ------
    InputError
        If the package spatialdata is absent, the store is damaged, an element is missing or ambiguous, or the
        scale of the image is not known.
    """
    path = Path(path)
    name = id or path.stem
    package = _package()
    check_zarr(path, "a SpatialData store")
    with reading(path, "a SpatialData store"):
        store = package.read_zarr(path)
        for kept in store.tables.values():
            check_sparse(kept)
    adata = store.tables[_choose(store.tables, table, option="table", where=name)]
    picture = store.images[_choose(store.images, image, option="image", where=name, preferred="full_image")]
    adata.obsm[keys.SPATIAL] = _centres(store, adata, picture=picture, system=coordinate_system, where=name)
    counts = raw_counts(adata, where=name)
    xy = counts.obsm[keys.SPATIAL]
    statements = [] if mpp is None else [Statement("the given mpp", mpp)]
    statements += scale_statements(counts, xy)
    slide = ElementSlide(_levels(picture), mpp=settle_mpp(statements, where=name), id=name)
    # scale factors are those of the table's first image, elements have transformations of their own
    evidence = gather(counts, xy, slide=slide, statements=statements)
    tell(weigh(replace(evidence, spot_px=None, pictures=())), where=name)
    tiles = Tiles(
        slide=slide,
        xy=xy,
        ids=counts.obs_names.to_numpy().astype(np.str_),
        spec=spec,
        array_xy=array_places(counts.obs),
    )
    return Section(id=name, patient=patient_of(counts, where=name), tiles=tiles, counts=counts)


def _package() -> ModuleType:
    try:
        import spatialdata  # noqa: PLC0415 — an extra, and seconds to import
    except ImportError as error:
        msg = "reading SpatialData needs the package spatialdata, found none: pip install 'mclstexp[spatialdata]'"
        raise InputError(msg) from error
    return spatialdata


def _choose(
    elements: Mapping[str, Any], name: str | None, *, option: str, where: str, preferred: str | None = None
) -> str:
    """Return the element that was named, or the only one that can be meant."""
    present = list(elements)
    if name is not None:
        found = [name] if name in present else []
    else:
        found = present if len(present) == 1 else [key for key in present if preferred and key.endswith(preferred)]
    if len(found) == 1:
        return found[0]
    wanted = "one" if name is None else repr(name)
    listed = ", ".join(present) or "none"
    msg = f"{where}: {wanted} expected among the store's {option}s, found {listed}: name one with {word(option)}"
    raise InputError(msg)


def _centres(store: Any, adata: AnnData, *, picture: Any, system: str | None, where: str) -> Float[np.ndarray, "n 2"]:
    """Return the centre of each row's shape, (column, row) in pixels of `picture`."""
    attrs = adata.uns.get("spatialdata_attrs")
    if attrs is None:
        advice = f"choose another with {word('table')}"
        msg = f"{where}: a table that annotates shapes expected, found one without a region: {advice}"
        raise InputError(msg)
    regions = sorted(set(adata.obs[attrs["region_key"]].astype(str)))
    if len(regions) != 1 or regions[0] not in store.shapes:
        listed = ", ".join(regions)
        msg = f"{where}: a table of one shapes element expected, found {listed}: split the table or choose another"
        raise InputError(msg)
    shapes = store.shapes[regions[0]]
    row = shapes.index.get_indexer(adata.obs[attrs["instance_key"]])
    if (row < 0).any():
        lost = adata.obs_names[row < 0][0]
        msg = (
            f"{where}: a shape for every row of the table expected, found none in {regions[0]} for {lost!r}: repair it"
        )
        raise InputError(msg)
    points = shapes.geometry.iloc[row].centroid
    centres = np.column_stack([points.x, points.y, np.ones(len(row))])
    ways = _ways(store, shapes, picture)
    if system is not None and system in ways:
        return centres @ ways[system][:2].T
    if system is not None or not ways:
        found = f"{', '.join(ways) or 'none'}" + ("" if system is None else f", not {system!r}")
        msg = (
            f"{where}: a coordinate system that {regions[0]} and the image share expected, found {found}: choose it "
            f"with {word('coordinate_system')} or another image with {word('image')}"
        )
        raise InputError(msg)
    places = [centres @ way[:2].T for way in ways.values()]
    apart_px = max(float(np.abs(place - places[0]).max(initial=0)) for place in places)
    if apart_px > _AGREE_PX:
        msg = (
            f"{where}: coordinate systems that agree expected of {regions[0]} and image, found spots {apart_px:.4g} "
            f"pixels apart between {', '.join(ways)}: choose one with {word('coordinate_system')}"
        )
        raise InputError(msg)
    return places[0]


def _ways(store: Any, shapes: Any, picture: Any) -> dict[str, NDArray[np.float64]]:
    """Return how shapes are brought to pixels of `picture`, (3, 3), by the coordinate system both have a place in."""
    from spatialdata.transformations import (  # noqa: PLC0415
        get_transformation,
        get_transformation_between_coordinate_systems,
    )

    ours, theirs = (get_transformation(element, get_all=True) for element in (shapes, picture))
    axes: dict[str, Any] = {"input_axes": ("x", "y"), "output_axes": ("x", "y")}
    ways = {
        name: np.linalg.inv(theirs[name].to_affine_matrix(**axes)) @ ours[name].to_affine_matrix(**axes)
        for name in ours
        if name in theirs
    }
    if not ways:
        with suppress(RuntimeError, ValueError):  # by way of another element
            found = get_transformation_between_coordinate_systems(store, shapes, picture)
            return {"others": found.to_affine_matrix(**axes)}
    return ways


def _levels(picture: Any) -> list[Any]:
    """Return the image's arrays, the largest first: several for a pyramid, else one."""
    scales = getattr(picture, "children", {})
    arrays = [next(iter(level.values())) for level in scales.values()] or [picture]
    arrays = [array.transpose("c", "y", "x").data for array in arrays]
    return sorted(arrays, key=lambda array: -array.shape[2])


def _rgb(part: Any, where: str) -> NDArray[np.uint8]:
    """Compute a lazy (3, height, width) part and turn it to (height, width, 3)."""
    with reading(where, "pixels of a SpatialData store"):
        return np.ascontiguousarray(np.moveaxis(np.asarray(part), 0, -1))
