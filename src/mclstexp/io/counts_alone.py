"""Counts without an image: single cells, or spots where places do not matter."""

from __future__ import annotations

from pathlib import Path

from anndata import AnnData

from mclstexp.core.errors import InputError
from mclstexp.io.h5ad import load, looks_like_h5ad
from mclstexp.io.tables import read_st_counts
from mclstexp.io.tenx import read_matrix

KINDS = "an AnnData file (.h5ad or .zarr), a 10x matrix (.h5) or a table of counts (.tsv, .tsv.gz)"


def holds_counts_alone(path: Path) -> bool:
    """Whether `path` is of a kind that `read_counts` reads."""
    return looks_like_h5ad(path) or path.name.lower().endswith((".h5", ".tsv", ".tsv.gz"))


def read_counts(path: Path | str, *, what: str) -> AnnData:
    """Read raw counts, whatever else the file holds.

    Parameters
    ----------
    path
        An AnnData file (``.h5ad`` or Zarr; counts are looked for as `raw_counts` does), a 10x matrix (``.h5``), or a
        table of spots by genes (``.tsv``, ``.tsv.gz``).
    what
        What it should hold, for messages, as "the reference".

    Returns
    -------
    AnnData (n, n_genes): `X` raw counts, CSR int32.

    Raises
    ------
    InputError
        If there is no such file, it is of another kind or damaged, or holds no raw counts.
    """
    path = Path(path)
    if not path.exists():
        msg = f"{KINDS} expected as {what}, found nothing at {path}: check the path"
        raise InputError(msg)
    name = path.name.lower()
    if path.is_file() and name.endswith((".tsv", ".tsv.gz")):
        return read_st_counts(path)
    if path.is_file() and name.endswith(".h5"):
        return read_matrix(path)
    if not looks_like_h5ad(path):
        msg = f"{KINDS} expected as {what}, found {'a folder' if path.is_dir() else 'another file'} at {path}"
        raise InputError(msg)
    return load(path)
