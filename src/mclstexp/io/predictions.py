"""Predictions on disk: an AnnData file whose `uns` says how each number was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path
from mclstexp.io.guard import reading
from mclstexp.io.hdf5 import appending_hdf5, read_anndata


def write_prediction(predicted: ad.AnnData, path: Path | str) -> Path:
    """Write what `Predictor.predict` returned as h5ad; the file appears whole or not at all.

    Raises
    ------
    InputError
        If it is not a prediction, or the place cannot be written to.
    """
    path = Path(path)
    if keys.PROVENANCE not in predicted.uns:
        msg = (
            f'a prediction, which has uns["{keys.PROVENANCE}"], expected, found none there: give what predict returned'
        )
        raise InputError(msg)
    if path.is_dir():
        msg = f"a file name for the prediction expected, found the folder {path}: give {path / 'prediction.h5ad'}"
        raise InputError(msg)
    copy = predicted.copy()  # writing turns text columns into categories
    copy.uns = storable(copy.uns)
    copy.obs = _text_or_numbers(copy.obs)
    with atomic_path(path) as temporary:
        copy.write_h5ad(temporary, compression="gzip")
    return path


def write_rows(frame: ad.AnnData, rows: Iterable[np.ndarray], path: Path) -> None:
    """Write a prediction whose expression does not fit into memory; the file appears whole or not at all.

    Parameters
    ----------
    frame
        The prediction without ``X``.
    rows
        Its expression in order, (n, n_genes) float32 each.
    path
        The ``.h5ad``.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    copy = frame.copy()
    copy.uns = storable(copy.uns)
    with atomic_path(path) as temporary:
        copy.write_h5ad(temporary)
        with appending_hdf5(temporary) as file:
            chunks = (min(256, frame.n_obs), frame.n_vars)
            matrix = file.create_dataset("X", frame.shape, "<f4", chunks=chunks, compression="gzip", compression_opts=1)
            matrix.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
            start = 0
            for block in rows:
                matrix[start : start + len(block)] = block
                start += len(block)


def read_prediction(path: Path | str, *, backed: bool = False) -> ad.AnnData:
    """Read what `write_prediction` wrote.

    Parameters
    ----------
    path
        The file.
    backed
        Whether the expression stays in the file, which is then open until ``.file.close()``.

    Returns
    -------
    AnnData as `Predictor.predict` gave it: plain numbers, lists and text in ``uns["mclstexp"]``.

    Raises
    ------
    InputError
        If there is no such file, it is damaged or no prediction.
    """
    path = Path(path)
    with reading(path, what := "a prediction (.h5ad)"):
        predicted = read_anndata(path, what, backed=backed)
        predicted.uns[keys.PROVENANCE] = _plain(predicted.uns[keys.PROVENANCE])
        predicted.obs[keys.SECTION] = predicted.obs[keys.SECTION].astype(object)
    return predicted


def storable(value: Any) -> Any:
    """Spell slashes in keys (a section may be called "2/3"): HDF5 would take them for folders."""
    if isinstance(value, Mapping):
        return {name.replace("%", "%25").replace("/", "%2F"): storable(part) for name, part in value.items()}
    return value


def _text_or_numbers(obs: pd.DataFrame) -> pd.DataFrame:
    """Spell columns that hold text beside numbers, which HDF5 has no type for, as text; what is missing stays so."""
    kinds = {name: column.cat.categories if column.dtype == "category" else column for name, column in obs.items()}
    mixed = [str(name) for name, values in kinds.items() if pd.api.types.infer_dtype(values).startswith("mixed")]
    return obs.assign(**{name: obs[name].astype(object).map(str, na_action="ignore") for name in mixed})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name.replace("%2F", "/").replace("%25", "%"): _plain(part) for name, part in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
