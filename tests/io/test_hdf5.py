"""HDF5 from a stranger: nothing outside the file is read, and nothing is unpacked that the file cannot hold."""

import re
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pytest

import mclstexp
from mclstexp.core.errors import InputError
from mclstexp.io.hdf5 import opened_hdf5, read_anndata
from mclstexp.io.patches import read_places
from mclstexp.io.tenx import read_matrix

WHAT = "a count table"


def _read(path):
    with opened_hdf5(path, WHAT) as file:
        return {name: file[name][...] for name in file}


def _made(path, build, **options):
    with h5py.File(path, "w", **options) as file:
        build(file)
    return path


def _external(file):
    file.create_dataset("X", (12,), "u1", external=[("private.bin", 0, 12)])


def _linked(file):
    file["X"] = h5py.ExternalLink("private.h5", "secret")


def _virtual(file):
    layout = h5py.VirtualLayout((12,), "u1")
    layout[:] = h5py.VirtualSource("private.h5", "secret", (12,))
    file.create_virtual_dataset("X", layout)


def _deep(build):
    def within(file):
        group = file.create_group("uns/a/b")
        group["loop"] = file["uns"]  # a hard link back: the walk must end
        build(group)

    return within


LEADS = [_external, _linked, _virtual]


@pytest.fixture
def _private(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("private.bin").write_bytes(b"password=123")
    with h5py.File("private.h5", "w") as file:
        file["secret"] = np.frombuffer(b"password=123", "u1")


@pytest.mark.usefixtures("_private")
@pytest.mark.parametrize("lead", [*LEADS, *map(_deep, LEADS)], ids=range(6))
def test_nothing_is_read_from_another_file(lead, tmp_path):
    path = _made(tmp_path / "x.h5ad", lead)
    for read in (_read, read_matrix, read_places, lambda p: read_anndata(p, WHAT)):
        with pytest.raises(InputError, match=r"found .* to read its .*X from another: do not trust it") as said:
            read(path)
        assert "password" not in str(said.value)


def test_labels_in_another_file_are_not_shown(tmp_path):
    """As an author of an h5ad may arrange it: the names of spots are bytes of any file of the reader."""
    (tmp_path / "private.bin").write_bytes(b"password=123")
    path = tmp_path / "x.h5ad"
    ad.AnnData(np.ones((2, 3), np.float32)).write_h5ad(path)
    with h5py.File(path, "r+") as file:
        del file["obs/_index"]
        names = file["obs"].create_dataset("_index", (2,), "S6", external=[(str(tmp_path / "private.bin"), 0, 12)])
        names.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
    with pytest.raises(InputError, match="to read its obs/_index from another"):
        mclstexp.read_sections(path, image=tmp_path / "private.bin")


def test_a_file_that_declares_more_than_it_holds_is_refused(tmp_path):
    def sparse(file):
        file.create_dataset("X", (10**12,), "f4", chunks=(1024,), compression="gzip")

    def shared(file):
        for number in range(8):
            file.create_dataset(f"X{number}", (10**8,), "u1", chunks=(1024,))

    for build in (sparse, shared):
        with pytest.raises(InputError, match=r"found .* to declare .* bytes where the file holds 0 of it"):
            _read(_made(tmp_path / f"{build.__name__}.h5", build))


def test_what_is_packed_well_is_read(tmp_path):
    def build(file):
        file.create_dataset("zeros", data=np.zeros(10**6), compression="gzip", shuffle=True, fletcher32=True)
        file.create_dataset("lzf", data=np.arange(1000), compression="lzf")
        file["soft"] = h5py.SoftLink("/lzf")
        file["lost"] = h5py.SoftLink("/nowhere")

    with opened_hdf5(_made(tmp_path / "x.h5", build), WHAT) as file:
        assert file["zeros"][:].sum() == 0
        assert file["soft"][5] == 5
        with pytest.raises(KeyError):
            file["lost"]


def test_unknown_filters_and_blocks_before_the_file_are_refused(tmp_path):
    def filtered(file):
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((4,))
        properties.set_filter(40_000, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file.id, b"X", h5py.h5t.NATIVE_INT32, space, dcpl=properties)

    with pytest.raises(InputError, match=r"a known filter .* found filter 40000 .* before /X: save it with gzip"):
        _read(_made(tmp_path / "filter.h5", filtered))
    with pytest.raises(InputError, match=r"512 bytes before it \(a user block\)"):
        _read(_made(tmp_path / "block.h5", lambda file: file.create_group("X"), userblock_size=512))


def test_a_file_nested_without_end_is_walked(tmp_path):
    def build(file):
        group = file
        for _ in range(3000):
            group = group.create_group("g")

    with opened_hdf5(_made(tmp_path / "x.h5", build), WHAT) as file:
        assert list(file) == ["g"]


def test_every_reader_comes_through_here():
    source = Path(mclstexp.__file__).parent
    opens = re.compile(r"h5py\.File\(|\bread_h5ad\(path, |ad\.read_h5ad|anndata\.read_h5ad|anndata\.io|ad\.io")
    found = [path.name for path in source.rglob("*.py") if opens.search(path.read_text(encoding="utf-8"))]
    assert found == ["hdf5.py"]


@pytest.mark.parametrize("link", [h5py.SoftLink("/"), h5py.SoftLink("/b"), None])
def test_a_group_within_itself_is_refused_at_once(tmp_path, link):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_group("a/c")
        file.create_group("b")["a"] = file["a"]
        file["a/c/back"] = file["b"] if link is None else link
    with (
        pytest.raises(InputError, match=r"groups that end expected in .* back into itself"),
        opened_hdf5(tmp_path / "f.h5", "a file"),
    ):
        pass


def test_ways_without_number_to_the_same_group_are_refused(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        for depth in range(30):
            inner = file.create_group(f"g{depth}")
            if depth:
                inner["left"] = inner["right"] = file[f"g{depth - 1}"]
    with (
        pytest.raises(InputError, match="at most 200000 parts expected"),
        opened_hdf5(tmp_path / "f.h5", "a file"),
    ):
        pass
