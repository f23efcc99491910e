"""10x Genomics' tissue positions: where each barcode lies on its array and on the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.io.guard import reading
from mclstexp.io.tables import require_separator

POSITION_COLUMNS = (keys.IN_TISSUE, keys.ARRAY_ROW, keys.ARRAY_COL, keys.PXL_ROW, keys.PXL_COL)
"""The columns after the barcode, in the order of a file without a header."""
POSITION_FILES = (
    "tissue_positions.csv",
    "tissue_positions.parquet",
    "tissue_positions_list.csv",
    "tissue_positions.csv.gz",
    "tissue_positions_list.csv.gz",
)
"""Space Ranger 2 and 3; Visium HD; Space Ranger 1; packed, as archives have them."""


def read_positions(path: Path, *, in_tissue_only: bool = False) -> pd.DataFrame:
    """Read tissue positions: csv with or without a header, or parquet.

    Parameters
    ----------
    path
        The positions file.
    in_tissue_only
        Leave out places beside the tissue while reading (Visium HD has millions).

    Returns
    -------
    One row per barcode (the index) with the columns of `POSITION_COLUMNS`.

    Raises
    ------
    InputError
        If the file is damaged, lacks a column, holds something that is not a number, or repeats a barcode.
    """
    with reading(path, "tissue positions"):
        parquet = path.suffix.lower() == ".parquet"
        table = _read_parquet(path, in_tissue_only=in_tissue_only) if parquet else _read_csv(path)
        barcodes = unique_barcodes(table["barcode"].astype(str).to_numpy(object), path)
        positions = table[list(POSITION_COLUMNS)].set_index(barcodes).apply(pd.to_numeric, errors="coerce")
    bad = positions.isna().any(axis=1).to_numpy()
    if bad.any():
        msg = (
            f"numbers expected in every row of {path}, found something else in {bad.sum()} of {len(bad)} rows "
            f"(first at barcode {positions.index[bad][0]}): fetch the file again"
        )
        raise InputError(msg)
    if in_tissue_only:
        positions = positions[positions[keys.IN_TISSUE] == 1]
    whole = [keys.IN_TISSUE, keys.ARRAY_ROW, keys.ARRAY_COL]
    return positions.astype(dict.fromkeys(whole, np.int64) | dict.fromkeys((keys.PXL_ROW, keys.PXL_COL), np.float64))


def unique_barcodes(barcodes: np.ndarray, path: Path) -> pd.Index:
    """Return barcodes as an index.

    Raises
    ------
    InputError
        If there is none, or one occurs twice.
    """
    index = pd.Index(np.asarray(barcodes, dtype=object), dtype=object)
    if len(index) == 0:
        msg = f"at least one barcode expected in {path}, found none"
        raise InputError(msg)
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        msg = f"each barcode once expected in {path}, found {twice!r} more than once: give one section's file"
        raise InputError(msg)
    return index


def _read_csv(path: Path) -> pd.DataFrame:
    """Read positions from csv; a header is known by its second cell, which is no number.

    Space Ranger 1 writes none, 2 and later write one, and version-1 file names with a header exist.
    """
    require_separator(path, ",", what="tissue positions (csv)", columns=1 + len(POSITION_COLUMNS) // 2)
    table = pd.read_csv(path, header=None, dtype=str, skipinitialspace=True, encoding="utf-8-sig")
    if not str(table.iloc[0, 1]).replace(".", "", 1).isdigit():
        names = [str(name).strip() for name in table.iloc[0]]
        return table.iloc[1:].set_axis(names, axis=1)
    if table.shape[1] != 1 + len(POSITION_COLUMNS):
        msg = f"6 columns (barcode, {', '.join(POSITION_COLUMNS)}) expected in {path}, found {table.shape[1]}"
        raise InputError(msg)
    return table.set_axis(["barcode", *POSITION_COLUMNS], axis=1)


def _read_parquet(path: Path, *, in_tissue_only: bool) -> pd.DataFrame:
    columns = ["barcode", *POSITION_COLUMNS]
    rows = [(keys.IN_TISSUE, "==", 1)] if in_tissue_only else None
    return pd.read_parquet(path, columns=columns, filters=rows)
