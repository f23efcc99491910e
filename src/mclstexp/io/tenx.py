"""10x Genomics' own files: count matrices (h5 or the mtx trio), scale factors, and their union with positions."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.io
from anndata import AnnData
from scipy import sparse

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.io.bounds import check_gzip
from mclstexp.io.guard import first_of, reading
from mclstexp.io.hdf5 import opened_hdf5
from mclstexp.io.sparse_checks import check_compressed
from mclstexp.io.tables import read_text
from mclstexp.io.tenx_positions import unique_barcodes
from mclstexp.io.unasked import counts_are_asked, without_counts

SCALE_FILES = ("scalefactors_json.json", "scalefactors_json.json.gz")
MATRICES = (
    "*filtered_feature_bc_matrix.h5",
    "*filtered_feature_bc_matrix",
    "filtered_count_matrix",
    "*raw_feature_bc_matrix.h5",
    "*raw_feature_bc_matrix",
)
"""Where a Space Ranger folder keeps its counts, the best first."""


@dataclass(frozen=True)
class Trio:
    """A count matrix in three files, each plain or gzipped."""

    matrix: Path
    """``matrix.mtx``: features by barcodes."""
    barcodes: Path
    """``barcodes.tsv``."""
    features: Path
    """``features.tsv``, or ``genes.tsv`` of version 2."""

    def __str__(self) -> str:
        return str(self.matrix)


def read_matrix(path: Path | Trio) -> AnnData:
    """Read the gene expression counts of a 10x matrix.

    Parameters
    ----------
    path
        A ``.h5`` file, a folder with ``matrix.mtx``, ``barcodes.tsv`` and ``features.tsv`` (or ``genes.tsv``), or
        these three, each plain or gzipped.

    Returns
    -------
    (n_barcodes, n_genes) counts; features of another type than "Gene Expression" are left out.

    Raises
    ------
    InputError
        If a file is absent or damaged, its parts disagree, or a barcode occurs twice.
    """
    if not isinstance(path, Trio) and path.is_dir():
        path = _trio(path)
    counts, barcodes, features = _read_trio(path) if isinstance(path, Trio) else _read_h5(path)
    file = path.barcodes if isinstance(path, Trio) else path
    if counts.shape != (len(barcodes), len(features)):
        msg = (
            f"a count matrix of {len(barcodes)} barcodes and {len(features)} features expected in {path}, "
            f"found {counts.shape[0]} and {counts.shape[1]}: use the files of one run"
        )
        raise InputError(msg)
    barcode_index = unique_barcodes(barcodes, file)
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


def read_scalefactors(path: Path) -> dict[str, Any]:
    """Read ``scalefactors_json.json``.

    Raises
    ------
    InputError
        If it is absent or is not a JSON object.
    """
    with reading(path, "10x scale factors (JSON)"):
        factors = json.loads(read_text(path))
    if not isinstance(factors, dict):
        msg = f"a JSON object of scale factors expected in {path}, found a {type(factors).__name__}: fetch it again"
        raise InputError(msg)
    return factors


def matrix_of(path: Path | Trio, barcodes: pd.Index) -> AnnData:
    """Read a matrix, see `read_matrix`; where counts are not asked for, return the barcodes without a gene."""
    return read_matrix(path) if counts_are_asked() else without_counts(barcodes)


def require_one_sample(barcodes: pd.Index, *, where: str) -> None:
    """Refuse what ``spaceranger aggr`` merged: barcodes of several samples, told apart by the number they end in.

    Raises
    ------
    InputError
        If barcodes end in several numbers.
    """
    ends = barcodes.astype(str).str.extract(r"-(\d+)$")[0].dropna().unique()
    if len(ends) > 1:
        listed = ", ".join(f"-{end}" for end in sorted(ends, key=int)[:4]) + (", …" if len(ends) > 4 else "")
        found = f"an aggregation of several samples (spaceranger aggr; barcodes end in {listed})"
        msg = f"{where}: one sample expected, found {found}: give each sample's own folder"
        raise InputError(msg)


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
    if len(keep) < len(row):
        beside = len(row) - len(keep)
        warnings.warn(
            f"{where}: {beside} of {len(row)} spots lie beside the tissue by in_tissue and are left out", stacklevel=3
        )
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
        counts = sparse.csr_matrix((int(n_barcodes), int(n_features)), dtype=group["data"].dtype)
        counts.data, counts.indices, counts.indptr = (group[part][:] for part in ("data", "indices", "indptr"))
        check_compressed(counts, "the matrix")
    return counts, barcodes, features


def _trio(folder: Path) -> Trio:
    return Trio(
        matrix=first_of(folder, ["matrix.mtx.gz", "matrix.mtx"], what="count matrix"),
        barcodes=first_of(folder, ["barcodes.tsv.gz", "barcodes.tsv"], what="barcodes"),
        features=first_of(folder, ["features.tsv.gz", "features.tsv", "genes.tsv.gz", "genes.tsv"], what="features"),
    )


def _read_trio(trio: Trio) -> tuple[sparse.csr_matrix, np.ndarray, pd.DataFrame]:
    with reading(trio.matrix, "a count matrix (Matrix Market)"):
        check_gzip(trio.matrix)
        counts = sparse.csr_matrix(scipy.io.mmread(trio.matrix).T)
    barcodes, table = _read_tsv(trio.barcodes)[0], _read_tsv(trio.features)
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
        check_gzip(path)
        return pd.read_csv(
            path, sep="\t", header=None, dtype=str, keep_default_na=False, quoting=3, encoding="utf-8-sig"
        )
