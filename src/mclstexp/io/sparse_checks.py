"""Sparse matrices of a stranger's file, looked at before they are computed with: compiled code trusts their indices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import anndata as ad
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_KINDS: Final = "biuf"
"""Of numpy's types: numbers and truth values."""


def check_sparse(adata: ad.AnnData) -> ad.AnnData:
    """Check every sparse matrix of an object in memory, and give all of one matrix's indices one type.

    AnnData hands what a file holds on as it is. An index beyond the matrix then reads, or overwrites, other memory:
    the process ends, or a count appears at another gene.

    Returns
    -------
    The object.

    Raises
    ------
    ValueError
        If one is not what its format says.
    """
    for name, matrix in _matrices(adata):
        if sparse.issparse(matrix) and matrix.format in ("csr", "csc"):
            check_compressed(matrix, name)
    return adata


def check_compressed(matrix: Any, name: str) -> None:
    """Check one matrix by rows (CSR) or columns (CSC), in place.

    Raises
    ------
    ValueError
        If its parts do not fit each other or its shape.
    """
    indices, indptr = (_whole(getattr(matrix, part), f"{name}'s {part}") for part in ("indices", "indptr"))
    n_major, n_minor = matrix.shape if matrix.format == "csr" else matrix.shape[::-1]
    if matrix.data.ndim != 1 or matrix.data.dtype.kind not in _KINDS:
        msg = f"{name} holds {matrix.data.dtype} and no numbers"
        raise ValueError(msg)
    if len(indptr) != n_major + 1 or indptr[0] != 0 or not len(indices) == len(matrix.data) == indptr[-1]:
        msg = f"{name}: the lengths of its parts do not fit each other"
        raise ValueError(msg)
    if (np.diff(indptr) < 0).any() or (len(indices) and not 0 <= indices.min() <= indices.max() < n_minor):
        msg = f"{name}: an index lies beyond its shape {matrix.shape}"
        raise ValueError(msg)
    dtype = np.int32 if max(n_minor, len(indices)) < 2**31 else np.int64
    matrix.indices, matrix.indptr = indices.astype(dtype, copy=False), indptr.astype(dtype, copy=False)


def _whole(values: Any, name: str) -> NDArray[np.int64]:
    values = np.asarray(values)
    if values.ndim != 1 or values.dtype.kind not in "iu":
        msg = f"{name} are {values.dtype} and no whole numbers"
        raise ValueError(msg)
    if values.dtype == np.uint64 and len(values) and values.max() > np.iinfo(np.int64).max:
        msg = f"{name} are beyond any size"
        raise ValueError(msg)
    return values if values.dtype.kind == "i" else values.astype(np.int64)


def _matrices(adata: ad.AnnData) -> Iterator[tuple[str, Any]]:
    if not adata.isbacked:
        yield "X", adata.X
    if adata.raw is not None and not adata.isbacked:
        yield "raw.X", adata.raw.X
    for group in ("layers", "obsm", "varm", "obsp", "varp"):
        for name, matrix in getattr(adata, group).items():
            yield f"{group}[{name!r}]", matrix
