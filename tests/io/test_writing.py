"""Full disks, quotas, closed places, long names: one sentence that names the place, and nothing half-written."""

import errno
import os
import re
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import save_file

from mclstexp.cli import run
from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path
from mclstexp.io.writing import refusal, writing


@contextmanager
def _small_files(n_bytes=2000):
    """As on a disk that takes no larger file: a limit of the system, which every library meets."""
    earlier = resource.getrlimit(resource.RLIMIT_FSIZE)
    compiled_earlier = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # or modules that are imported meanwhile stay cut short
    signal_earlier = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, earlier[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, earlier)
        signal.signal(signal.SIGXFSZ, signal_earlier)
        sys.dont_write_bytecode = compiled_earlier


NOISE = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
WRITERS = {
    "bytes": lambda path: path.write_bytes(NOISE.tobytes()),
    "table": lambda path: pd.DataFrame(NOISE[..., 0]).rename(columns=str).to_parquet(path),
    "csv": lambda path: pd.DataFrame(NOISE[..., 0]).to_csv(path),
    "picture": lambda path: Image.fromarray(NOISE).save(path, "PNG"),
    "weights": lambda path: save_file({"a": NOISE}, path),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_what_does_not_fit_is_a_sentence_and_leaves_nothing(writer, tmp_path):
    target = tmp_path / "out"
    with pytest.raises(InputError, match=r"a disk that takes files of this size expected for .*/out, found: "):  # noqa: SIM117
        with _small_files(), atomic_path(target) as path:
            WRITERS[writer](path)
    assert list(tmp_path.iterdir()) == []


_H5AD = """
import resource, signal, sys
import anndata, numpy
from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sys.dont_write_bytecode = True
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    with atomic_path(sys.argv[1]) as path:
        anndata.AnnData(numpy.ones((200, 200), numpy.float32)).write_h5ad(path)
except InputError as error:
    print(error)
"""


def test_an_anndata_file_that_does_not_fit_is_a_sentence_and_leaves_nothing(tmp_path):
    # a process of its own: HDF5 2.0 keeps what it could not write, and dies of it later
    words = [sys.executable, "-c", _H5AD, str(tmp_path / "out")]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    assert re.match(r"a disk that takes files of this size expected for .*/out, found: ", said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "room on the disk expected for x, found: No space left on device: make room or choose another"),
        (errno.EDQUOT, "room within the quota expected for x, found: .*: make room"),
        (errno.EROFS, "a folder that can be written to expected for x, found: Read-only file system: choose another"),
        (errno.EACCES, "a folder that can be written to expected for x, found: Permission denied"),
        (errno.ENAMETOOLONG, "a name that the disk takes expected for x, found: File name too long: choose a shorter"),
    ],
)
def test_each_refusal_of_the_system_has_its_words(number, said):
    for error in (
        OSError(number, os.strerror(number)),
        OSError(f"Can't write data (file write failed: errno = {number}, error message = '…')"),
        RuntimeError(f"Can't decrement id ref count (file write failed: errno = {number}, …)"),
        ValueError(f"I/O error: (os error {number})"),
    ):
        with pytest.raises(InputError, match=said), writing("x"):
            raise error


def test_other_errors_are_left_alone(tmp_path):
    for error in (ValueError("no number"), OSError("odd"), KeyError(28), FileNotFoundError(errno.ENOENT, "none")):
        assert refusal(error, "x") is None
        with pytest.raises(type(error)), writing("x"):
            raise error
    read = PermissionError(errno.EACCES, "Permission denied", "/elsewhere/secret.csv")
    assert refusal(read, tmp_path / "out") is None, "of a file that is read, not of the one that is written"
    assert "/elsewhere/secret.csv" in refusal(read)


def test_a_name_too_long_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="a name that the disk takes expected for"):  # noqa: SIM117
        with atomic_path(tmp_path / ("n" * 300)) as path:
            path.write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_command_on_a_full_disk_ends_with_a_sentence(tmp_path, monkeypatch, capsys):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "log.txt"))

    monkeypatch.setattr("mclstexp.demo.run_demo", full)
    assert run(["demo", "--out", str(tmp_path / "d")]) == 2
    assert "room on the disk expected for" in capsys.readouterr().err
