"""HEST-1k and HEST-Bench: one h5ad a sample, with its slide or only with patches of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.io import h5ad
from mclstexp.io.anndata_scale import array_places, gather, scale_statements
from mclstexp.io.guard import guarded, reading
from mclstexp.io.patches import PATCH_SPEC, PatchSlide, read_places
from mclstexp.io.patients import patient_name, patient_of
from mclstexp.io.slides import open_slide, probe_slide
from mclstexp.io.tables import read_text
from mclstexp.io.witnesses import Statement, settle_mpp, tell, weigh

_MPP = "pixel_size_um_estimated"


def looks_like_hest(path: Path | str) -> bool:
    """Whether `path` is a HEST folder: ``st`` (or ``adata``) beside ``wsis`` or ``patches``."""
    path = Path(path)
    return _tables(path) is not None and any((path / folder).is_dir() for folder in ("wsis", "patches"))


@guarded("a HEST folder")
def read_hest(
    path: Path | str,
    *,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    sections: Sequence[str] | None = None,
    mpp: float | None = None,
) -> list[Section]:
    """Read samples of a HEST folder.

    Parameters
    ----------
    path
        Folder with ``st/{id}.h5ad`` (HEST-Bench: ``adata``), ``wsis/{id}.tif`` or else ``patches/{id}.h5``, and
        ``metadata/{id}.json`` where there is one.
    spec
        Size and scale of the tiles; stored patches serve 224 px at 0.5 µm per pixel alone.
    sections
        Samples to read; all by default.
    mpp
        µm per pixel of the slides, instead of the metadata's estimate or the slide's own.

    Returns
    -------
    list of Section
        In the order of `sections`, or by name. The patient is the metadata's, or what `patient_of` finds. From patches,
        only spots that have one.

    Raises
    ------
    InputError
        If a file is absent or damaged, no patch belongs to a spot, or `spec` is not the stored one.
    """
    path = Path(path)
    tables = _tables(path)
    if tables is None:
        msg = f"a HEST folder with st/*.h5ad (or adata/*.h5ad) expected at {path}, found none: check the path"
        raise InputError(msg)
    present = sorted(file.stem for file in tables.glob("*.h5ad") if not file.name.startswith("."))
    wanted = present if sections is None else list(sections)
    lost = [name for name in wanted if name not in present]
    if lost:
        listed = ", ".join(present[:5]) + (", …" if len(present) > 5 else "")
        msg = f"samples of {tables} expected, found no {lost[0]!r} among {listed}: choose {word('sections')} from these"
        raise InputError(msg)
    return [_read_sample(path, tables / f"{name}.h5ad", spec=spec, mpp=mpp) for name in wanted]


def _read_sample(root: Path, table: Path, *, spec: TileSpec, mpp: float | None) -> Section:
    name = table.stem
    metadata = _metadata(root / "metadata" / f"{name}.json")
    # HEST's in_tissue says nothing: https://github.com/mahmoodlab/HEST/issues/47
    adata = h5ad.load(table, in_tissue=False)
    xy = h5ad.centres(adata, table)
    wsi, patches = root / "wsis" / f"{name}.tif", root / "patches" / f"{name}.h5"
    statements = [] if mpp is None else [Statement("the given mpp", mpp)]
    if (stated := _number(metadata.get(_MPP))) is not None:
        statements.append(Statement(f"{_MPP} of the metadata", stated))
    statements += scale_statements(adata, xy)
    if wsi.is_file():
        if (header := probe_slide(wsi).mpp) is not None:
            statements.append(Statement("the image's header", header))
        slide = open_slide(wsi, id=name, mpp=settle_mpp(statements, where=name))
        evidence = gather(adata, xy, slide=slide, statements=statements)
        size, spot_um = _size_px(metadata), _number(metadata.get("spot_diameter"))
        sizes = () if size is None else (("the metadata", size),)
        tell(weigh(replace(evidence, sizes=sizes, spot_um=spot_um)), where=name)
        return _section(adata, xy, slide=slide, spec=spec, metadata=metadata)
    if not patches.is_file():
        msg = f"{name}: a slide at {wsi} or patches at {patches} expected, found neither: fetch one of them"
        raise InputError(msg)
    barcodes, corners = read_places(patches)
    row = pd.Index(barcodes).get_indexer(pd.Index(adata.obs_names.astype(str)))
    has = row >= 0
    if not has.any():
        msg = (
            f"{name}: patches and counts must share barcodes, found none of {adata.obs_names[0]!r}, … among "
            f"{barcodes[0]!r}, …: use the files of one sample"
        )
        raise InputError(msg)
    # a patch's centre is its spot's: half its side in level-0 pixels is what lies between corner and centre
    half_px = float(np.median(xy[has] - corners[row[has]]))
    if half_px > 0:
        statements.append(Statement("the spots' spacing", PATCH_SPEC.size_um / (2 * half_px), of_spots=True))
    scale = settle_mpp(statements, where=name)
    patch_slide = PatchSlide(patches, id=name, mpp=scale, size_px=_size_px(metadata))
    # pictures are not compared: patches leave most of the slide white
    tell(weigh(replace(gather(adata, xy, slide=patch_slide, statements=statements), pictures=())), where=name)
    patch_slide.check_spec(spec)
    return _section(adata[has].copy(), xy[has], slide=patch_slide, spec=spec, metadata=metadata)


def _section(adata: AnnData, xy: np.ndarray, *, slide: Slide, spec: TileSpec, metadata: dict[str, Any]) -> Section:
    tiles = Tiles(
        slide=slide,
        xy=xy,
        ids=adata.obs_names.to_numpy().astype(np.str_),
        spec=spec,
        array_xy=array_places(adata.obs),
    )
    patient = patient_name(metadata.get("patient")) or patient_of(adata, where=slide.id)
    return Section(id=slide.id, patient=patient, tiles=tiles, counts=adata)


def _metadata(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    with reading(path, "HEST metadata (JSON)"):
        metadata = json.loads(read_text(path))
    return metadata if isinstance(metadata, dict) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _size_px(metadata: dict[str, Any]) -> tuple[int, int] | None:
    width, height = (_number(metadata.get(f"fullres_px_{side}")) for side in ("width", "height"))
    return None if width is None or height is None else (int(width), int(height))


def _tables(path: Path) -> Path | None:
    folders = (path / name for name in ("st", "adata"))
    return next((folder for folder in folders if any(f.name[:1] != "." for f in folder.glob("*.h5ad"))), None)
