"""Sparse matrices from outside: what compiled code would trust is looked at first."""

import anndata as ad
import h5py
import numpy as np
import pytest
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.io.hdf5 import read_anndata
from mclstexp.io.sparse_checks import check_sparse
from mclstexp.io.zarr_store import read_anndata_zarr

COUNTS = np.array([[0, 1, 2], [3, 0, 0], [0, 0, 0], [0, 5, 6]], np.float32)


def written(path, where="X", format="csr"):  # noqa: A002
    matrix = sparse.csr_matrix(COUNTS).asformat(format)
    adata = ad.AnnData(matrix if where == "X" else COUNTS)
    if where != "X":
        adata.layers["counts"] = matrix
    adata.write_h5ad(path)
    return path


@pytest.mark.parametrize("where", ["X", "layers/counts"])
@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("indices", [0, 1, 2**30, 1, 2]),
        ("indices", [0, 1, -1, 1, 2]),
        ("indices", [0.0, 1.0, 0.0, 1.0, 2.0]),
        ("indices", [0, 1]),
        ("indptr", [0, 9, 3, 3, 5]),
        ("indptr", [1, 2, 3, 3, 5]),
        ("data", [b"a", b"b", b"c", b"d", b"e"]),
        ("data", [1.0]),
    ],
)
def test_parts_that_do_not_fit_are_refused(where, format, part, wrong, tmp_path):  # noqa: A002
    path = written(tmp_path / "a.h5ad", where, format)
    with h5py.File(path, "r+") as file:
        group = file[where]
        attributes = dict(group[part].attrs)
        del group[part]
        group[part] = np.array(wrong)
        group[part].attrs.update(attributes)
    with pytest.raises(InputError, match="damaged or of another kind"):
        read_anndata(path, "counts")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.uint64, np.int16, np.int64])
def test_indices_of_any_whole_type_are_the_same_matrix(dtype, tmp_path):
    path = written(tmp_path / "a.h5ad")
    with h5py.File(path, "r+") as file:
        values = file["X/indices"][:]
        del file["X/indices"]
        file["X/indices"] = values.astype(dtype)
    found = read_anndata(path, "counts").X
    np.testing.assert_array_equal(found.toarray(), COUNTS)
    np.testing.assert_array_equal((found @ np.ones((3, 1))).ravel(), COUNTS.sum(axis=1))
    assert found.indices.dtype == found.indptr.dtype == np.int32


@pytest.mark.filterwarnings("ignore:Writing zarr v2 data")
def test_a_store_is_looked_at_too(tmp_path):
    adata = ad.AnnData(sparse.csr_matrix(COUNTS))
    adata.X.indices[0] = 7
    adata.write_zarr(tmp_path / "a.zarr")
    with pytest.raises(InputError, match="beyond its shape"):
        read_anndata_zarr(tmp_path / "a.zarr", "counts")


def test_all_places_of_an_object_are_looked_at():
    for place in ("layers", "obsm", "varm", "obsp", "varp"):
        adata = ad.AnnData(np.ones((3, 3), np.float32))
        wrong = sparse.csr_matrix(np.eye(3, dtype=np.float32))
        getattr(adata, place)["a"] = wrong
        check_sparse(adata)
        getattr(adata, place)["a"].indices[1] = 3
        with pytest.raises(ValueError, match=rf"{place}\['a'\]"):
            check_sparse(adata)
