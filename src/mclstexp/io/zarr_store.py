"""The one way to zarr stores: what a stranger's store could have zarr do is refused before anything is read."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import anndata as ad
import numpy as np

from mclstexp.core.errors import InputError
from mclstexp.core.wording import shown
from mclstexp.io.bounds import SPARE_BYTES, require_stored
from mclstexp.io.guard import reading
from mclstexp.io.sparse_checks import check_sparse

_CODECS: Final = (
    "blosc", "zstd", "gzip", "zlib", "lz4", "bz2", "lzma", "zlib-ng", "shuffle", "delta", "bitround", "quantize",
    "fixedscaleoffset", "packbits", "crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3", "bytes", "endian",
    "transpose", "sharding_indexed", "vlen-utf8", "vlen-bytes", "vlen-array",
)  # fmt: skip
"""Codecs that compute and nothing more. ``pickle`` runs what the store's author wrote."""
_NAMING: Final = ("compressor", "filters", "codecs", "index_codecs", "storage_transformers")
_METADATA: Final = (".zarray", ".zgroup", ".zmetadata", "zarr.json")
_METADATA_BYTES: Final = 64 * 2**20
_CHUNK_BYTES: Final = 2**31
"""A chunk is unpacked as a whole; Blosc knows none larger."""
_LAZY: Final = ("images", "labels", "image", "label")
"""Elements of which only the parts asked for are read; empty ones need not be stored."""


def read_anndata_zarr(path: Path | str, what: str) -> ad.AnnData:
    """Read an AnnData store (.zarr).

    Raises
    ------
    InputError
        As `check_zarr`, or if it is damaged.
    """
    check_zarr(path, what)
    with reading(path, what):
        return check_sparse(ad.read_zarr(path))


def check_zarr(path: Path | str, what: str) -> None:
    """Look at all metadata of a store before a library opens it.

    Parameters
    ----------
    path
        The folder.
    what
        What it should be, as in "a SpatialData store".

    Raises
    ------
    InputError
        If it leads outside itself, names a codec beyond the known, or declares far more data than it holds.
    """
    root = Path(path)
    with reading(root, what):
        for file in _files(root, what):
            if file.name in _METADATA:
                if file.stat().st_size > _METADATA_BYTES:
                    msg = f"{what} expected in {root}, found metadata of {file.stat().st_size} bytes: do not trust it"
                    raise InputError(msg)
                document = json.loads(file.read_text(encoding="utf-8"))
                for codec in _codecs(document):
                    _check_codec(codec, file, what)
                if isinstance(document, dict) and "shape" in document:
                    _check_size(document, file, root)


def _files(root: Path, what: str) -> Iterator[Path]:
    """Yield the files of a store; a link may not lead out of it."""
    inside = root.resolve()
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder, name)
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                msg = f"{what} that is one folder expected, found {path} to lead out of it: do not trust it"
                raise InputError(msg)
        yield from (Path(folder, name) for name in names)


def _codecs(document: Any) -> Iterator[Any]:
    """Yield what stands wherever metadata name codecs, nested ones too; a user's attributes may say what they like."""
    waiting = [document]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            for key, value in part.items():
                if key in _NAMING and value:
                    yield from value if isinstance(value, list) else [value]
                if key != "attributes" and not key.endswith(".zattrs"):
                    waiting.append(value)


def _check_codec(codec: Any, file: Path, what: str) -> None:
    said = codec.get("id", codec.get("name")) if isinstance(codec, dict) else codec
    name = said.removeprefix("numcodecs.") if isinstance(said, str) else None
    if name not in _CODECS:
        msg = f"{what} packed by known codecs expected, found {shown(said)} in {file}: do not trust it, or save it anew"
        raise InputError(msg)


def _check_size(document: dict[str, Any], file: Path, root: Path) -> None:
    grid = document.get("chunk_grid", {}).get("configuration", {}).get("chunk_shape")
    shape, chunks = document["shape"], document.get("chunks", grid) or [1]
    if not all(isinstance(n, int) and n >= 0 for n in (*shape, *chunks)):
        msg = f"whole numbers as the shape of an array expected in {file}, found {shown(shape)}: do not trust it"
        raise InputError(msg)
    item = _item_bytes(document.get("dtype", document.get("data_type")))
    declared, chunk = math.prod(shape) * item, math.prod(chunks) * item
    place = file.parent
    if chunk > _CHUNK_BYTES:
        msg = f"chunks of {_CHUNK_BYTES} bytes at most expected in {file}, found {chunk:.3g}: do not trust it"
        raise InputError(msg)
    if declared <= SPARE_BYTES or set(place.relative_to(root).parts) & set(_LAZY):
        return
    stored = sum(part.stat().st_size for part in place.rglob("*") if part.is_file())
    require_stored(place, declared=declared, stored=stored)


def _item_bytes(dtype: Any) -> int:
    """Return the size of a number; text is taken for pointers."""
    try:
        return np.dtype(dtype).itemsize or 8
    except TypeError:
        return 8
