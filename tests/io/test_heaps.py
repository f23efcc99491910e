"""A size in a heap of texts that would keep HDF5 busy for ever is told before HDF5 meets it."""

import struct

import anndata as ad
import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.io.hdf5 import read_anndata
from mclstexp.io.heaps import check_heaps

MARK = b"GCOL\x01\x00\x00\x00"


@pytest.fixture
def path(tmp_path):
    adata = ad.AnnData(np.ones((2, 2), np.float32), uns={"words": np.array(["many", "a word"], object), "b": "c"})
    adata.write_h5ad(tmp_path / "a.h5ad")
    return tmp_path / "a.h5ad"


def objects(content):
    """(position of its head, index, size) of each object of the first heap."""
    start = content.find(MARK)
    (size,) = struct.unpack_from("<Q", content, start + 8)
    at, found = 16, []
    while at + 16 <= size:
        index, n_bytes = struct.unpack_from("<H6xQ", content, start + at)
        found.append((start + at, index, n_bytes))
        if index == 0:
            break
        at += 16 + (n_bytes + 7) // 8 * 8
    return found


def test_what_a_library_wrote_is_whole(path):
    assert len(objects(path.read_bytes())) > 3
    check_heaps(path)
    assert read_anndata(path, "counts").uns["b"] == "c"


def test_a_text_that_reaches_into_the_free_rest_or_beyond_is_refused(path):
    content = path.read_bytes()
    *_, (last, _, n_bytes), (rest, index, n_free) = objects(content)
    assert index == 0
    # the next head is then read out of the free rest, where there is nothing: size 0, which never ends
    for wrong in (n_bytes + 512, n_bytes + n_free + 8, 2**62):
        damaged = bytearray(content)
        struct.pack_into("<Q", damaged, last + 8, wrong)
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="do not fit their place"):
            read_anndata(path, "counts")
    damaged = bytearray(content)
    struct.pack_into("<Q", damaged, rest + 8, 0)
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="do not fit their place"):
        read_anndata(path, "counts")


def test_the_mark_at_the_end_of_a_file_and_an_empty_file_are_no_heaps(tmp_path):
    for content in (b"", MARK, b"x" * 100 + MARK + struct.pack("<Q", 4096)):
        (tmp_path / "a").write_bytes(content)
        check_heaps(tmp_path / "a")
