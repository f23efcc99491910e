"""Several libraries (samples) merged in one AnnData object, as scanpy's and squidpy's tutorials merge them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float
from scipy.spatial import cKDTree

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.places import misplaced

_COLUMNS: Final = (
    "library_id",
    "library",
    "sample",
    "sample_id",
    "sample_name",
    "batch",
    "section",
    "section_id",
    "slide",
    "slide_id",
    "capture_area",
    "orig.ident",
)
"""Columns of ``obs`` that name a spot's library."""
_MOST: Final = 100
"""More values than this name no libraries."""
_ON_EACH_OTHER: Final = 0.3
"""Share of spots that lie closer to one of another library than spots of one array ever do."""


def split_libraries(adata: AnnData, xy: Float[np.ndarray, "n 2"], *, where: str) -> dict[str, AnnData]:
    """Part an object by its libraries; one that holds a single one comes back under the empty name.

    They are known by several entries of ``uns["spatial"]`` and the column of ``obs`` that names them, or by a column
    whose values lie on each other, as coordinates of several images do, or share places on the array.

    Raises
    ------
    InputError
        If there are several, but nothing says which spot belongs to which.
    """
    entries = _entries(adata)
    column = _naming(adata.obs, entries) if len(entries) > 1 else _overlapping(adata, xy, where=where)
    if column is None and len(entries) > 1:
        msg = (
            f"{where}: the library of every spot expected in a column of obs, as uns['spatial'] names {len(entries)} "
            f"({', '.join(list(entries)[:4])}), found none: add obs['library_id'] or split the file"
        )
        raise InputError(msg)
    if column is None:
        return {"": adata}
    names = column.astype(str)
    found = list(dict.fromkeys(names))
    if len(found) == 1:
        return {"": _only(adata, found[0], entries)}
    return {name: _only(adata[(names == name).to_numpy()].copy(), name, entries) for name in found}


def libraries_of_counts(counts: AnnData, *, where: str) -> dict[str, AnnData]:
    """Part counts by their libraries as `split_libraries` does, where there may be no places to tell them by.

    Then a column of ``obs`` that names libraries, or the number that 10x's barcodes end in, is believed.

    Raises
    ------
    InputError
        As `split_libraries`.
    """
    if keys.SPATIAL in counts.obsm:
        return split_libraries(counts, np.asarray(counts.obsm[keys.SPATIAL], np.float64)[:, :2], where=where)
    well = counts.obs_names.astype(str).to_series().str.extract(r"^[ACGT]{10,}-(\d+)$")[0]
    columns = [counts.obs[name] for name in _COLUMNS if name in counts.obs] + [well] * bool(well.notna().all())
    for column in columns:
        names = column.astype(str)
        found = list(dict.fromkeys(names))
        if 1 < len(found) <= _MOST:
            return {name: counts[(names == name).to_numpy()].copy() for name in found}
    return {"": counts}


def _entries(adata: AnnData) -> dict[str, Any]:
    libraries = adata.uns.get(keys.SPATIAL)
    if not isinstance(libraries, dict):
        return {}
    # a flag such as "is_single" stands beside the libraries
    return {str(name): entry for name, entry in libraries.items() if isinstance(entry, dict)}


def _naming(obs: pd.DataFrame, entries: dict[str, Any]) -> pd.Series | None:
    """Return the column whose values are names of entries, or the names that the spots' own names end or begin with."""
    columns = [name for name in _COLUMNS if name in obs] + [name for name in obs if name not in _COLUMNS]
    for name in columns:
        values = set(obs[name].astype(str))
        if values <= set(entries):
            return obs[name]
    names = obs.index.astype(str).to_series()
    for part in (names.str.rsplit("-", n=1).str[-1], names.str.rsplit("_", n=1).str[-1], names.str.split("_").str[0]):
        if set(part) <= set(entries):
            return part
    return None


def _overlapping(adata: AnnData, xy: Float[np.ndarray, "n 2"], *, where: str) -> pd.Series | None:
    """Return the column by which spots lie on each other, and would not without the others."""
    obs = adata.obs
    suffix = obs.index.astype(str).to_series().str.extract(r"-(\d+)$")[0]
    candidates = [obs[name] for name in _COLUMNS if name in obs]
    candidates += [suffix] if suffix.notna().all() and _array_shared(obs, len(obs)) else []
    for column in candidates:
        codes = pd.factorize(column.astype(str))[0]
        if 1 < codes.max() + 1 <= _MOST and _on_each_other(codes, xy):
            return column
    if _array_shared(obs, len(obs)):
        columns = ", ".join(_COLUMNS[:3])
        msg = f"{where}: spots of one section expected, found array places that occur twice and no column of obs "
        raise InputError(msg + f"({columns}, …) that parts them: split the file")
    return None


def _array_shared(obs: pd.DataFrame, n_spots: int) -> bool:
    columns = [keys.ARRAY_ROW, keys.ARRAY_COL]
    return set(columns) <= set(obs) and int(obs.duplicated(columns).sum()) > _ON_EACH_OTHER * n_spots


def _on_each_other(codes: np.ndarray, xy: Float[np.ndarray, "n 2"]) -> bool:
    n_close = 0
    for code in range(codes.max() + 1):
        own, others = xy[codes == code], xy[codes != code]
        if len(own) < 3 or misplaced(xy).any():
            continue
        step = float(np.median(cKDTree(own).query(own, k=2)[0][:, 1]))
        n_close += int((cKDTree(others).query(own)[0] < 0.6 * step).sum())
    return n_close > _ON_EACH_OTHER * len(xy)


def _only(adata: AnnData, name: str, entries: dict[str, Any]) -> AnnData:
    """Leave the one library's entry in ``uns["spatial"]``."""
    if entries:
        adata.uns[keys.SPATIAL] = {name: entries[name]} if name in entries else {}
    return adata
