"""10x Genomics' own files: count matrices (h5 or the mtx trio), tissue positions, scale factors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.io
from anndata import AnnData
from scipy import sparse

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.io.guard import first_of, reading
from mclstexp.io.hdf5 import opened_hdf5

POSITION_COLUMNS = (keys.IN_TISSUE, keys.ARRAY_ROW, keys.ARRAY_COL, keys.PXL_ROW, keys.PXL_COL)
"""The columns after the barcode, in the order of a file without a header."""
POSITION_FILES = ("tissue_positions.csv", "tissue_positions.parquet", "tissue_positions_list.csv")
"""Space Ranger 2 and 3; Visium HD; Space Ranger 1."""
MATRICES = (
    "*filtered_feature_bc_matrix.h5",
    "*filtered_feature_bc_matrix",
    "filtered_count_matrix",
    "*raw_feature_bc_matrix.h5",
    "*raw_feature_bc_matrix",
)
"""Where a Space Ranger folder keeps its counts, the best first."""


def read_matrix(path: Path) -> AnnData:
    """Read the gene expression counts of a 10x matrix.

    Parameters
    ----------
    path
        A ``.h5`` file, or a folder with ``matrix.mtx``, ``barcodes.tsv`` and ``features.tsv`` (or
        ``genes.tsv``), each plain or gzipped.

    Returns
    -------
    (n_barcodes, n_genes) counts; features of another type than "Gene Expression" are left out.

    Raises
    ------
    InputError
        If a file is absent or damaged, its parts disagree, or a barcode occurs twice.
    """
    counts, barcodes, features = _read_folder(path) if path.is_dir() else _read_h5(path)
    if counts.shape != (len(barcodes), len(features)):
        msg = (
            f"a count matrix of {len(barcodes)} barcodes and {len(features)} features expected in {path}, "
            f"found {counts.shape[0]} and {counts.shape[1]}: use the files of one run"
        )
        raise InputError(msg)
    barcode_index = _unique_barcodes(barcodes, path)
    wanted = (features["type"] == "Gene Expression").to_numpy()
    if not wanted.any():
        kinds = ", ".join(sorted(set(features["type"])))
        msg = (
            f"features of type 'Gene Expression' expected in {path}, found only {kinds or 'none'}: give another matrix"
        )
        raise InputError(msg)
    if not wanted.all():
        counts, features = counts[:, np.flatnonzero(wanted)], features[wanted]
    var = pd.DataFrame(
        {keys.GENE_ID: features["id"].to_numpy(object)}, index=unique_names(features["name"], features["id"])
    )
    return AnnData(X=counts, obs=pd.DataFrame(index=barcode_index), var=var)


def unique_names(names: pd.Series, ids: pd.Series) -> pd.Index:
    """Return gene names, each that stands for several genes followed by its id: ``TBCE_ENSG00000284770``.

    Every bearer of a shared name is renamed, so that the result does not depend on the order of the features.
    """
    symbol, gene_id = names.astype(str).to_numpy(object), ids.astype(str).to_numpy(object)
    shared = pd.Series(symbol).duplicated(keep=False).to_numpy()
    return pd.Index(np.where(shared, symbol + "_" + gene_id, symbol), dtype=object)


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
        table = _read_parquet(path, in_tissue_only=in_tissue_only) if path.suffix == ".parquet" else _read_csv(path)
        barcodes = _unique_barcodes(table["barcode"].astype(str).to_numpy(object), path)
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


def read_scalefactors(path: Path) -> dict[str, Any]:
    """Read ``scalefactors_json.json``.

    Raises
    ------
    InputError
        If it is absent or is not a JSON object.
    """
    with reading(path, "10x scale factors (JSON)"):
        factors = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(factors, dict):
        msg = f"a JSON object of scale factors expected in {path}, found a {type(factors).__name__}: fetch it again"
        raise InputError(msg)
    return factors


def join(matrix: AnnData, positions: pd.DataFrame, *, where: str) -> AnnData:
    """Put positions under counts: rows in the matrix's order, in tissue only, positions in `obs`.

    Raises
    ------
    InputError
        If a barcode of the matrix has no position, or no spot is left.
    """
    row = positions.index.get_indexer(matrix.obs_names)
    if (row < 0).any():
        lost = matrix.obs_names[row < 0]
        msg = (
            f"{where}: every barcode of the count matrix must have a position, found {len(lost)} of {len(row)} without "
            f"(first {lost[0]!r}, positions have e.g. {positions.index[0]!r}): use the files of one run"
        )
        raise InputError(msg)
    keep = np.flatnonzero(positions[keys.IN_TISSUE].to_numpy()[row] == 1)
    if len(keep) == 0:
        msg = f"{where}: spots under tissue expected, found none with in_tissue = 1 among {len(row)} barcodes"
        raise InputError(msg)
    obs = positions.iloc[row[keep]].set_index(matrix.obs_names[keep])
    # a copy of the whole matrix would double what Visium HD needs
    counts = matrix.X if len(keep) == len(row) else matrix.X[keep]
    return AnnData(X=counts, obs=obs, var=matrix.var)


def _read_h5(path: Path) -> tuple[sparse.csr_matrix, np.ndarray, pd.DataFrame]:
    with opened_hdf5(path, "a 10x count matrix (h5, Space Ranger or Cell Ranger 3 and later)") as file:
        group = file["matrix"]
        barcodes = group["barcodes"].asstr()[:]
        features = pd.DataFrame(
            {
                "id": group["features/id"].asstr()[:],
                "name": group["features/name"].asstr()[:],
                "type": group["features/feature_type"].asstr()[:],
            }
        )
        n_features, n_barcodes = group["shape"][:]
        # 10x stores features × barcodes by column, which is barcodes × features by row
        parts = (group["data"][:], group["indices"].astype(np.int32)[:], group["indptr"][:])
        counts = sparse.csr_matrix(parts, shape=(n_barcodes, n_features))
        counts.check_format()
    return counts, barcodes, features


def _read_folder(folder: Path) -> tuple[sparse.csr_matrix, np.ndarray, pd.DataFrame]:
    path = first_of(folder, ["matrix.mtx.gz", "matrix.mtx"], what="count matrix")
    with reading(path, "a count matrix (Matrix Market)"):
        counts = sparse.csr_matrix(scipy.io.mmread(path).T)
    barcodes = _read_tsv(first_of(folder, ["barcodes.tsv.gz", "barcodes.tsv"], what="barcodes"))[0]
    names = ["features.tsv.gz", "features.tsv", "genes.tsv.gz", "genes.tsv"]
    table = _read_tsv(first_of(folder, names, what="features"))
    features = pd.DataFrame(
        {
            "id": table[0],
            "name": table[1] if 1 in table else table[0],
            # genes.tsv (version 2) knows no types: all are genes
            "type": table.get(2, "Gene Expression"),
        }
    )
    return counts, barcodes.to_numpy(object), features


def _read_tsv(path: Path) -> pd.DataFrame:
    with reading(path, "a table separated by tabs"):
        return pd.read_csv(path, sep="\t", header=None, dtype=str, keep_default_na=False, quoting=3)


def _read_csv(path: Path) -> pd.DataFrame:
    """Read positions from csv; a header is known by its second cell, which is no number.

    Space Ranger 1 writes none, 2 and later write one, and version-1 file names with a header exist.
    """
    table = pd.read_csv(path, header=None, dtype=str, skipinitialspace=True)
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


def _unique_barcodes(barcodes: np.ndarray, path: Path) -> pd.Index:
    index = pd.Index(np.asarray(barcodes, dtype=object), dtype=object)
    if len(index) == 0:
        msg = f"at least one barcode expected in {path}, found none"
        raise InputError(msg)
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        msg = f"each barcode once expected in {path}, found {twice!r} more than once: give one section's file"
        raise InputError(msg)
    return index
