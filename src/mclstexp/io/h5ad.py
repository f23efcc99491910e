"""Any AnnData (`.h5ad`, or a Zarr folder) with spot centres in pixels, paired with an image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from anndata import AnnData
from jaxtyping import Float

from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.places import said_of_misplaced
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.anndata_scale import array_places, gather, mpp_from_spots, scale_statements
from mclstexp.io.entries import entries
from mclstexp.io.guard import guarded, reading
from mclstexp.io.hdf5 import read_anndata
from mclstexp.io.libraries import split_libraries
from mclstexp.io.patients import patient_of
from mclstexp.io.raw_counts import raw_counts
from mclstexp.io.slides import open_slide, probe_slide
from mclstexp.io.visium import IMAGE_SUFFIXES
from mclstexp.io.witnesses import Statement, settle_mpp, tell, weigh
from mclstexp.io.zarr_store import read_anndata_zarr

__all__ = [
    "array_places",
    "centres",
    "images_named",
    "load",
    "looks_like_h5ad",
    "mpp_from_spots",
    "raw_counts",
    "read_h5ad",
]

_PIXEL_COLUMNS: Final = (("pixel_x", "pixel_y"), (keys.PXL_COL, keys.PXL_ROW))


def looks_like_h5ad(path: Path | str) -> bool:
    """Whether `path` is an AnnData file, or a Zarr folder that AnnData wrote."""
    path = Path(path)
    return path.is_file() if path.suffix.lower() == ".h5ad" else _is_zarr(path)


@guarded("an AnnData file (h5ad) and its image")
def read_h5ad(
    path: Path | str,
    *,
    image: Path | str | None = None,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    pitch_um: float | None = None,
    id: str | None = None,  # noqa: A002 — the field's name in Section
    patient: str | None = None,
) -> Section:
    """Read a section from an AnnData file and an image.

    Parameters
    ----------
    path
        File (or Zarr folder) with centres in ``obsm["spatial"]`` (or ``obs["pixel_x", "pixel_y"]``), (column, row) in
        pixels of the image, and raw counts in ``layers["counts"]``, ``X`` or ``raw.X``: see `raw_counts`.
    image
        The image; by default the one beside the file whose name starts with the file's (``s1.h5ad``, ``s1_HE.jpg``).
    spec
        Size and scale of the tiles.
    mpp
        µm per pixel of the image. By default it is what ``uns`` states (``mpp``, ``um_per_px``, …), what a Visium
        array implies (``array_row``, ``array_col``, or Visium's ``spot_diameter_fullres``), or the image's header.
    pitch_um
        Distance in µm between neighbouring spots, where that is what is known.
    id
        Name of the section; the file's by default.
    patient
        Whom it comes from; by default what ``obs`` or ``uns`` says (``patient``, ``donor``, …; see `patient_of`).

    Raises
    ------
    InputError
        If there are no centres, no raw counts, no image, its scale is not known, or it holds several libraries (read
        them with `read_libraries`).
    """
    path = Path(path)
    parts = _libraries(path)
    if len(parts) > 1:
        msg = f"{path.name}: one section expected, found {len(parts)} libraries ({_listed(parts)}): read_sections reads"
        raise InputError(msg + " each with its own image")
    adata = next(iter(parts.values()))
    name = id or path.stem
    picture = _find_image(path, image)
    return _section(adata, picture, name=name, how=_How(spec, mpp=mpp, pitch_um=pitch_um, patient=patient))


@guarded("an AnnData file (h5ad) and its image")
def read_libraries(
    path: Path | str,
    *,
    image: Path | str | None = None,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    pitch_um: float | None = None,
    sections: Sequence[str] | None = None,
) -> list[Section]:
    """Read an AnnData file as one section, or as one for each of the libraries that were merged in it.

    Parameters
    ----------
    path, image, spec, mpp, pitch_um
        As for `read_h5ad`; `image` only where one section is read.
    sections
        Which libraries to read; all by default. A file that holds one is read whatever is asked.

    Returns
    -------
    list of Section
        Named by the file, or each by its library.

    Raises
    ------
    InputError
        As `read_h5ad`, and if a library has no image of its own, named after it, beside the file.
    """
    path = Path(path)
    parts = _libraries(path)
    how = _How(spec, mpp=mpp, pitch_um=pitch_um)
    if len(parts) == 1:
        return [_section(next(iter(parts.values())), _find_image(path, image), name=path.stem, how=how)]
    wanted = [name for name in parts if sections is None or name in sections] or list(parts)
    pictures = {name: _library_image(path, name) for name in wanted}
    if image is not None and len(wanted) == 1:
        pictures[wanted[0]] = _find_image(path, image)
    lacking = [name for name, picture in pictures.items() if picture is None]
    if lacking or (image is not None and len(wanted) > 1):
        found = f"found {len(parts)} libraries ({_listed(parts)})"
        msg = f"{path.name}: one section with its image expected, {found}: lay an image named after each "
        msg += f"({lacking[0] if lacking else wanted[0]}.*) beside the file, or choose one with {word('sections')}"
        raise InputError(msg)
    return [_section(parts[name], picture, name=name, how=how) for name, picture in pictures.items() if picture]


def load(path: Path, *, in_tissue: bool = True) -> AnnData:
    """Read an AnnData file as raw counts of spots under tissue.

    Raises
    ------
    InputError
        If the file is damaged or has no raw counts.
    """
    return raw_counts(_read(path), where=path.name, in_tissue=in_tissue)


def centres(adata: AnnData, path: Path) -> Float[np.ndarray, "n 2"]:
    """Return spot centres (column, row) in pixels.

    Raises
    ------
    InputError
        If there are none, or one is not finite.
    """
    xy = _stated_centres(adata, path)
    if found := said_of_misplaced(xy):
        msg = f"{path.name}: tile centres must be finite, found {found}: drop those rows"
        raise InputError(msg)
    return xy


@dataclass(frozen=True)
class _How:
    """What the caller says of a section."""

    spec: TileSpec
    mpp: float | None = None
    pitch_um: float | None = None
    patient: str | None = None


def _section(adata: AnnData, picture: Path, *, name: str, how: _How) -> Section:
    xy = np.asarray(adata.obsm[keys.SPATIAL])
    if how.pitch_um is not None and not how.pitch_um > 0:
        msg = f"{name}: {word('pitch_um')} must be a positive number of µm, found {how.pitch_um!r}"
        raise InputError(msg)
    statements = [] if how.mpp is None else [Statement("the given mpp", how.mpp)]
    statements += scale_statements(adata, xy, pitch_um=how.pitch_um)
    if (header := probe_slide(picture).mpp) is not None:
        statements.append(Statement("the image's header", header))
    hint = f", or {word('pitch_um')} if the distance between neighbouring spots is known"
    slide = open_slide(picture, id=name, mpp=settle_mpp(statements, where=name, hint=hint))
    tell(weigh(gather(adata, xy, slide=slide, statements=statements)), where=name)
    tiles = Tiles(
        slide=slide,
        xy=xy,
        ids=adata.obs_names.to_numpy().astype(np.str_),
        spec=how.spec,
        array_xy=array_places(adata.obs),
    )
    return Section(id=name, patient=how.patient or patient_of(adata, where=name), tiles=tiles, counts=adata)


def _libraries(path: Path) -> dict[str, AnnData]:
    """Read counts and centres, parted by library."""
    adata = load(path)
    adata.obsm[keys.SPATIAL] = centres(adata, path)
    return split_libraries(adata, np.asarray(adata.obsm[keys.SPATIAL]), where=path.name)


def _read(path: Path) -> AnnData:
    if path.is_file() or path.suffix.lower() == ".h5ad":
        return read_anndata(path, "an AnnData file (h5ad)")
    return read_anndata_zarr(path, "an AnnData store (Zarr)")


def _is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr store whose root says that AnnData wrote it."""
    for name, part in ((".zattrs", ()), ("zarr.json", ("attributes",))):
        if (path / name).is_file():
            try:
                said: Any = json.loads((path / name).read_text(encoding="utf-8"))
                for key in part:
                    said = said[key]
                return bool(said.get("encoding-type") == "anndata")
            except (ValueError, KeyError, AttributeError, TypeError, OSError, RecursionError):
                return False
    return False


def _stated_centres(adata: AnnData, path: Path) -> Float[np.ndarray, "n 2"]:
    if keys.SPATIAL in adata.obsm:
        with reading(path, "spot centres in obsm['spatial']"):
            places = np.asarray(adata.obsm[keys.SPATIAL], np.float64)
        if places.ndim == 2 and places.shape[1] >= 2:
            return places[:, :2]
        msg = (
            f"(column, row) of each spot expected in obsm['spatial'] of {path}, found {places.shape} numbers: give two"
        )
        raise InputError(msg)
    for columns in _PIXEL_COLUMNS:
        if set(columns) <= set(adata.obs):
            with reading(path, f"spot centres in obs[{columns[0]!r}, {columns[1]!r}]"):
                return adata.obs[list(columns)].to_numpy(np.float64)
    found = ", ".join(sorted(adata.obsm)) or "an empty obsm"
    msg = f"spot centres in pixels expected as obsm['spatial'] in {path}, found {found}: add them"
    raise InputError(msg)


def _find_image(path: Path, image: Path | str | None) -> Path:
    if image is not None:
        picture = Path(image)
        if not picture.is_file():
            msg = f"{path.name}: an image expected at {picture}, found no such file: check {word('image')}"
            raise InputError(msg)
        return picture
    found = images_named(path, path.stem)
    if len(found) != 1:
        listed = f"{len(found)} ({', '.join(other.name for other in found[:4])})" if found else "none"
        named = f"{path.stem}.* or {path.stem}_*.*"
        msg = f"one image named {named} expected beside {path}, found {listed}: give {word('image')}"
        raise InputError(msg)
    return found[0]


def _library_image(path: Path, name: str) -> Path | None:
    """Return the one image beside the file that is named after a library, alone or after the file."""
    found = images_named(path, name) or images_named(path, f"{path.stem}_{name}")
    return found[0] if len(found) == 1 else None


def images_named(path: Path, stem: str) -> list[Path]:
    """List the images beside `path` called `stem`, or else those whose names go on after it."""
    beside = [other for other in entries(path.absolute().parent) if other.suffix.lower() in IMAGE_SUFFIXES]
    found = [other for other in beside if other.stem == stem]
    # "s1_HE" goes with s1, "s10" does not
    return found or [other for other in beside if other.stem.startswith((f"{stem}_", f"{stem}.", f"{stem}-"))]


def _listed(parts: dict[str, AnnData]) -> str:
    return ", ".join(list(parts)[:4]) + (", …" if len(parts) > 4 else "")
