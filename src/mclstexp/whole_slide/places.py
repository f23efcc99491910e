"""`Place`: a file or folder of this machine or of an object store, under one set of verbs."""

from __future__ import annotations

import glob
import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import fsspec

from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path

EXTRAS: Final = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
"""The package's extra that brings the library of a kind of store."""
_LOCAL: Final = re.compile(r"^(file|local):(//)?")
_ROOTS: Final = ("zarr.json", ".zgroup")
"""What the root of a zarr store says of itself, by version of the format."""
_TELLS: Final = (
    "size",
    "ETag",
    "etag",
    "md5Hash",
    "crc32c",
    "LastModified",
    "updated",
    "last_modified",
    "created",
    "mtime",
)
"""What stores' libraries call the size, checksum and time of a file."""


@dataclass(frozen=True)
class Place:
    """A file or folder, here (a path, also as ``file://…``) or in a store that fsspec reaches (``s3://…``).

    What a store says against a request, an absent library or refused access, is an `InputError`. Files of this machine
    are read and written where they are.
    """

    url: str
    """Path or URL."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _LOCAL.sub("", self.url))

    def __str__(self) -> str:
        return self.url

    @property
    def is_local(self) -> bool:
        """Whether it is of this machine."""
        return "://" not in self.url

    @property
    def path(self) -> Path:
        """The path of a local one."""
        assert self.is_local, self.url
        return Path(self.url)

    @property
    def name(self) -> str:
        """The last part."""
        return PurePosixPath(self.url).name if not self.is_local else self.path.name

    @property
    def parent(self) -> Place:
        """The folder it lies in."""
        return Place(str(self.path.parent)) if self.is_local else Place(self.url.rstrip("/").rpartition("/")[0])

    def join(self, name: str) -> Place:
        """Return what lies under `name` in this folder; a URL or an absolute path stands for itself."""
        if "://" in name or not self.is_local:
            return Place(name if "://" in name or name.startswith("/") else f"{self.url.rstrip('/')}/{name}")
        return Place(str(self.path / name))

    def is_file(self) -> bool:
        """Whether there is such a file."""
        if self.is_local:
            return self.path.is_file()
        with self._store() as (store, key):
            return bool(store.isfile(key))

    def is_dir(self) -> bool:
        """Whether there is such a folder."""
        if self.is_local:
            return self.path.is_dir()
        with self._store() as (store, key):
            return bool(store.isdir(key))

    def names(self) -> set[str]:
        """Return the names of what lies directly in this folder; nothing if it is not there."""
        if self.is_local:
            return {path.name for path in self.path.iterdir()} if self.path.is_dir() else set()
        with self._store() as (store, key):
            found = store.ls(key, detail=False) if store.isdir(key) else []
        return {str(name).rstrip("/").rpartition("/")[2] for name in found}

    def files(self) -> dict[str, Place]:
        """Return all files in this folder that are not hidden, by their path relative to it with "/"."""
        if self.is_local:
            found = [path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file()]
        else:
            with self._store() as (store, key):
                found = [str(name)[len(key.rstrip("/")) + 1 :] for name in store.find(key)]
        shown = sorted(name for name in found if not any(part.startswith(".") for part in name.split("/")))
        return {name: self.join(name) for name in shown}

    def matches(self) -> dict[str, Place]:
        """Return the files that this place, read as a pattern with ``*``, ``?``, ``[…]`` and ``**``, stands for.

        Returns
        -------
        By their path relative to the last folder that the pattern names in full.
        """
        if self.is_local:
            found = {name: Place(name) for name in glob.glob(self.url, recursive=True)}  # noqa: PTH207  absolute too
            key, found = self.url, {name: place for name, place in found.items() if place.is_file()}
        else:
            with self._store() as (store, key):
                kinds = store.glob(key, detail=True)
                found = {name: Place(store.unstrip_protocol(name)) for name in kinds if kinds[name]["type"] == "file"}
        start = re.split(r"[*?\[]", key, maxsplit=1)[0].rfind("/") + 1
        return {name[start:]: found[name] for name in sorted(found)}

    def head(self, n_bytes: int) -> bytes:
        """Return the first bytes of this file."""
        if self.is_local:
            with self.path.open("rb") as file:
                return file.read(n_bytes)
        with self._store() as (store, key):
            return bytes(store.cat_file(key, start=0, end=n_bytes))

    def read(self) -> bytes | None:
        """Return what this file holds, or None if it is not there."""
        if not self.is_file():
            return None
        if self.is_local:
            return self.path.read_bytes()
        with self._store() as (store, key):
            return bytes(store.cat_file(key))

    def write(self, text: str, *, ours: bool = False) -> None:
        """Write this file; it appears whole or not at all. `ours` is that of `atomic_path`."""
        if self.is_local:
            with atomic_path(self.path, ours=ours) as path:
                path.write_text(text, encoding="utf-8")
            return
        with self._store() as (store, key):
            store.pipe_file(key, text.encode())

    def remove(self) -> None:
        """Remove this file or tree; nothing happens if there is none."""
        if self.is_local:
            if self.path.is_dir():
                shutil.rmtree(self.path)
            else:
                self.path.unlink(missing_ok=True)
            return
        with self._store() as (store, key):
            if store.exists(key):
                store.rm(key, recursive=True)

    def fetch(self, path: Path) -> None:
        """Copy this file of a store to `path`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._store() as (store, key):
            store.get_file(key, str(path))

    def send(self, path: Path) -> None:
        """Copy a file, or a tree, to this place of a store; the file that says what a tree is goes last."""
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        last = [file for file in files if file.parent == path and file.name in _ROOTS]
        with self._store() as (store, key):
            if path.is_dir() and store.exists(key):
                store.rm(key, recursive=True)
            for part in ([file for file in files if file not in last], last):
                keys = [f"{key}/{file.relative_to(path).as_posix()}" if path.is_dir() else key for file in part]
                if part:
                    store.put([str(file) for file in part], keys)

    def stamp(self) -> str | None:
        """Return what tells this file or tree from another of its name; None if there is none.

        Of this machine's: a hash of the bytes. Of a store's: what the store says of it, size and times and checksums.
        """
        if self.is_local:
            return _hash(self.path) if self.path.exists() else None
        with self._store() as (store, key):
            keys = [key, *(f"{key}/{name}" for name in _ROOTS)]
            found = next((store.info(name) for name in keys if store.isfile(name)), None)
        return None if found is None else repr(sorted((name, str(found[name])) for name in _TELLS if name in found))

    def is_folder(self) -> bool:
        """Whether it is a folder of this machine."""
        return self.is_local and self.path.is_dir()

    def set_aside(self) -> None:
        """Give a file or tree of this machine the next free name of ``NAME.1``, ``NAME.2`` and so on."""
        free = (self.path.with_name(f"{self.path.name}.{i}") for i in range(1, 10_000))
        self.path.replace(next(path for path in free if not path.exists()))

    def is_whole(self) -> bool:
        """Whether a result that `send` writes here is there, to its last file."""
        if self.is_local:
            return self.path.exists()
        return self.is_file() or any(self.join(name).is_file() for name in _ROOTS)

    @contextmanager
    def _store(self) -> Iterator[tuple[Any, str]]:
        """Give the store's file system and this place's name in it; what either raises becomes one sentence."""
        protocol = self.url.partition("://")[0]
        try:
            # listings are not kept: other processes write here too
            store, key = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except ImportError as error:
            extra = EXTRAS.get(protocol)
            advice = f"pip install 'mclstexp[{extra}]'" if extra else str(error)
            msg = f"the library that reaches {protocol}:// expected for {self.url}, found none: {advice}"
            raise InputError(msg) from error
        except ValueError as error:
            msg = f"a path or a URL such as s3://, gs:// or file:// expected, found {self.url} ({error})"
            raise InputError(msg) from error
        try:
            yield store, key
        except InputError:
            raise
        except Exception as error:  # each store's library has errors of its own
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            msg = f"a store that lets itself be read and written expected at {self.url}, found: {reason}"
            raise InputError(msg) from error


def _hash(path: Path) -> str:
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        digest.update(f"{file.relative_to(path).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()
