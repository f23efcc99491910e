"""Files that unpack to far more than they can hold are refused before they do."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from mclstexp.core.errors import InputError
from mclstexp.io import bounds
from mclstexp.io import unpack as unpacking
from mclstexp.io.bounds import check_gzip, require_stored
from mclstexp.io.slides import open_slide, probe_slide
from mclstexp.io.tables import read_st_counts
from mclstexp.io.unpack import unpack

_DECLARE = r"expected, found \d+ bytes to declare .*: do not trust it"


@pytest.fixture
def _little(monkeypatch):
    """As if nothing were spared: small files stand for large ones."""
    for module in (bounds, unpacking):
        monkeypatch.setattr(module, "SPARE_BYTES", 1000)


def _png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_pictures_that_declare_more_than_they_hold(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(_png(2**17, 2**17))
    with pytest.raises(InputError, match=_DECLARE):
        probe_slide(path)
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "JPEG")
    frame = buffer.getvalue().index(b"\xff\xc0") + 5
    content = bytearray(buffer.getvalue())
    content[frame : frame + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(InputError, match=_DECLARE):
        probe_slide(tmp_path / "x.jpg")


def test_blank_pictures_are_read(tmp_path):
    Image.new("RGB", (5000, 4000), "white").save(tmp_path / "x.png")
    Image.new("RGB", (5000, 4000), "white").save(tmp_path / "x.jpg")
    for path in tmp_path.iterdir():
        assert open_slide(path, mpp=1.0).size_px == (5000, 4000)


@pytest.mark.usefixtures("_little")
def test_a_tile_of_a_tiff_that_declares_more_than_it_holds(tmp_path):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.zeros((1024, 1024, 3), np.uint8), tile=(1024, 1024), compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags["TileByteCounts"].overwrite(1)
    with pytest.raises(InputError, match=_DECLARE):
        open_slide(path, mpp=1.0).thumbnail(64)


@pytest.mark.usefixtures("_little")
def test_tables_that_unpack_without_end(tmp_path, monkeypatch):
    path = tmp_path / "x.tsv.gz"
    path.write_bytes(gzip.compress(b"0" * 10**7))
    with pytest.raises(InputError, match=r"a table expected in .*x\.tsv\.gz, found it to unpack to more than"):
        read_st_counts(path)
    path.write_bytes(gzip.compress(np.random.default_rng(0).bytes(10**5)))
    check_gzip(path)


def _zip(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for number in range(3):
            packed.writestr(f"{number}.txt", bytes(10**6) + bytes([number]))


def _tar(path):
    with tarfile.open(path, "w:xz") as packed:
        member = tarfile.TarInfo("zeros")
        member.size = 10**7
        packed.addfile(member, io.BytesIO(bytes(10**7)))


def _pictures(path):
    data = gzip.compress(bytes(10**8))
    with tarfile.open(path, "w") as packed:
        for name, content in (("a.jpg.gz", data), ("b.txt", b"")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))


@pytest.mark.usefixtures("_little")
@pytest.mark.parametrize("make", [_tar, _zip, _pictures])
def test_archives_that_unpack_without_end(make, tmp_path, monkeypatch):
    archive = tmp_path / "x.archive"
    make(archive)
    monkeypatch.setattr(unpacking, "RATIO", 100)
    with pytest.raises(InputError, match=r"what fits into the archive .* found far more than it can hold"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["x.archive"]


def test_archives_of_too_many_files_and_full_disks(tmp_path, monkeypatch):
    archive = tmp_path / "x.zip"
    _zip(archive)
    with monkeypatch.context() as few:
        few.setattr(unpacking, "_MAX_FILES", 2)
        with pytest.raises(InputError, match=r"what fits into the archive .* found more files"):
            unpack(archive, tmp_path / "out")
    with monkeypatch.context() as full:
        full.setattr(unpacking.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 10}))
        with pytest.raises(InputError, match=r"room for 1000001 bytes of .* expected at .*, found 10: make room"):
            unpack(archive, tmp_path / "out")
    assert len(list(unpack(archive, tmp_path / "out").iterdir())) == 4


def test_what_is_stored_may_be_large():
    assert require_stored("x", declared=10**12, stored=10**10) is None, "and nothing is raised"
