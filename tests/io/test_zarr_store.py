"""Zarr stores from a stranger: no code of theirs runs, nothing outside is read, nothing unpacked that is not stored."""

import json
import re
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

import mclstexp
from mclstexp.core.errors import InputError
from mclstexp.io.zarr_store import check_zarr, read_anndata_zarr

WHAT = "an AnnData store"


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "x.zarr"
    made = ad.AnnData(np.arange(12, dtype=np.float32).reshape(3, 4))
    made.obs["name"] = ["a", "b", "c"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the version of zarr that will be the default
        made.write_zarr(path)
    return path


def _array(path):
    """The metadata of X, of either version of zarr."""
    return next(path / "X" / name for name in (".zarray", "zarr.json") if (path / "X" / name).is_file())


def _edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_store_as_anndata_writes_it_is_read(store):
    assert read_anndata_zarr(store, WHAT).X[2, 3] == 11


@pytest.mark.parametrize(
    "changes",
    [
        {"compressor": {"id": "pickle"}},
        {"filters": [{"id": "vlen-utf8"}, {"id": "pickle", "protocol": 5}]},
        {"codecs": [{"name": "bytes"}, {"name": "numcodecs.pickle"}]},
        {"codecs": [{"name": "sharding_indexed", "configuration": {"index_codecs": [{"name": "evil"}]}}]},
        {"codecs": ["unknown"]},
        {"storage_transformers": [{"name": "elsewhere"}]},
        {"compressor": 3},
    ],
)
def test_only_known_codecs_unpack(store, changes):
    _edit(_array(store), **changes)
    with pytest.raises(InputError, match=r"an AnnData store packed by known codecs expected, found .* in .*X"):
        read_anndata_zarr(store, WHAT)


def test_codecs_named_only_in_consolidated_metadata_count(store):
    array = {"shape": [3], "compressor": {"id": "pickle"}}
    (store / ".zmetadata").write_text(json.dumps({"metadata": {"X/.zarray": array}}))
    with pytest.raises(InputError, match="found 'pickle' in"):
        check_zarr(store, WHAT)


def test_a_users_attributes_may_say_what_they_like(store):
    root = next(store / name for name in (".zgroup", "zarr.json") if (store / name).is_file())
    _edit(root, attributes={"filters": ["red", {"id": "pickle"}]})
    check_zarr(store, WHAT)


def test_links_may_not_lead_out(store, tmp_path):
    (tmp_path / "private").write_text("secret")
    (store / "X" / "inner").symlink_to(store / "obs")
    check_zarr(store, WHAT)
    for target in (tmp_path / "private", tmp_path):
        link = store / "obs" / "link"
        link.symlink_to(target)
        with pytest.raises(InputError, match=r"that is one folder expected, found .*link to lead out of it"):
            read_anndata_zarr(store, WHAT)
        link.unlink()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shape": [10**12], "chunks": [1000]}, "found .* bytes to declare .*: do not trust it"),
        ({"shape": [10**12], "chunks": [10**12]}, "chunks of 2147483648 bytes at most expected"),
        ({"shape": [-1]}, "whole numbers as the shape"),
        ({"shape": ["many"]}, "whole numbers as the shape"),
        ({"shape": 3}, "damaged or of another kind"),
    ],
)
def test_what_is_declared_must_be_stored(store, changes, said):
    _edit(_array(store), **changes)
    with pytest.raises(InputError, match=said):
        read_anndata_zarr(store, WHAT)


def test_damaged_metadata_are_a_sentence(store):
    for text in ("", "[1,", "\x00", "[" * 100_000):
        _array(store).write_text(text)
        with pytest.raises(InputError, match="an AnnData store expected"):
            read_anndata_zarr(store, WHAT)


def test_every_reader_comes_through_here():
    """Whoever opens a store has it looked at first."""
    source = Path(mclstexp.__file__).parent
    opens = re.compile(r"\bread_zarr\(|zarr\.open|open_zarr")
    texts = {path.name: path.read_text(encoding="utf-8") for path in (source / "io").rglob("*.py")}
    found = [name for name, text in texts.items() if opens.search(text)]
    assert "zarr_store.py" in found
    assert all("check_zarr(" in texts[name] for name in found)


def test_numcodecs_is_one_that_refuses_pickle():
    from importlib.metadata import requires

    assert any(re.match(r"numcodecs>=0\.16\.[6-9]", line.replace(" ", "")) for line in requires("mclstexp") or ()) or (
        "numcodecs>=0.16.6" in (Path(mclstexp.__file__).parents[2] / "pyproject.toml").read_text()
    )
