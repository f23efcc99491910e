"""Unpacking archives that nobody vouches for."""

from __future__ import annotations

import gzip
import json
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path
from mclstexp.io.bounds import RATIO, SPARE_BYTES
from mclstexp.io.guard import reading

MARKER: Final = ".fetched.json"
"""In an unpacked folder: size of each of its files in bytes, by path."""

_MAX_FILES: Final = 1_000_000
_BLOCK: Final = 2**20


def incomplete(folder: Path) -> str | None:
    """Say what keeps a folder from being what `unpack` once made; None if nothing does."""
    try:
        sizes = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        wrong = [name for name, size in sizes.items() if (folder / name).stat().st_size != size]
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        return "other files" if missing == MARKER else f"{missing} missing"
    except Exception:  # noqa: BLE001  whatever a damaged record raises
        return "a damaged record of its files"
    return f"{wrong[0]} damaged" if wrong else None


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a tar or zip archive; the folder appears whole or not at all.

    One folder around everything is taken off. Images packed one by one (``.jpg.gz``) are unpacked too.

    Raises
    ------
    InputError
        If it is damaged, no archive, or holds a path that leads out of the folder.
    """
    with atomic_path(folder) as temporary, reading(archive, "an archive (.tar, .tar.gz or .zip)"):
        temporary.mkdir()
        room = _Room(archive, temporary)
        if zipfile.is_zipfile(archive):
            _unzip(archive, temporary, room)
        else:
            _untar(archive, temporary, room)
        inside = [path for path in temporary.iterdir() if path.name != "pax_global_header"]
        if len(inside) == 1 and inside[0].is_dir():
            outer = inside[0].rename(temporary.with_name("outer"))
            shutil.rmtree(temporary)
            outer.rename(temporary)
        for packed in temporary.rglob("*.jpg.gz"):
            with gzip.open(packed) as source, packed.with_suffix("").open("wb") as target:
                while block := source.read(_BLOCK):
                    room.take(len(block), n_files=0)
                    target.write(block)
            packed.unlink()
        sizes = {
            str(path.relative_to(temporary)): path.stat().st_size for path in temporary.rglob("*") if path.is_file()
        }
        (temporary / MARKER).write_text(json.dumps(sizes, indent=1) + "\n", encoding="utf-8")
    return folder


@dataclass
class _Room:
    """What may still be unpacked; counted before it is written."""

    archive: Path
    folder: Path
    n_files: int = field(init=False)
    n_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.n_files = _MAX_FILES
        self.n_bytes = SPARE_BYTES + RATIO * self.archive.stat().st_size

    def take(self, n_bytes: int, *, n_files: int = 1) -> None:
        """Count a file; refuse one too many, and one that the disk has no room for."""
        self.n_files, self.n_bytes = self.n_files - n_files, self.n_bytes - n_bytes
        if self.n_files < 0 or self.n_bytes < 0:
            found = "more files" if self.n_files < 0 else "far more than it can hold"
            msg = f"what fits into the archive {self.archive} expected, found {found}: do not trust it"
            raise InputError(msg)
        if n_bytes > (free := shutil.disk_usage(self.folder).free):
            msg = f"room for {n_bytes} bytes of {self.archive} expected at {self.folder}, found {free}: make room"
            raise InputError(msg)

    def counted(self, tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        """Yield the members of a tar as they are counted."""
        for member in tar:
            self.take(member.size)
            yield member


def _untar(archive: Path, folder: Path, room: _Room) -> None:
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, members=room.counted(tar), filter="data")
    except tarfile.FilterError as error:
        raise InputError(_escape(archive, error.tarinfo.name)) from error
    except tarfile.TarError as error:
        raise ValueError(str(error)) from error


def _unzip(archive: Path, folder: Path, room: _Room) -> None:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            name = member.filename
            room.take(member.file_size)
            # zipfile would quietly put it elsewhere
            if name.startswith(("/", "\\")) or ".." in Path(name.replace("\\", "/")).parts:
                raise InputError(_escape(archive, name))
        try:
            packed.extractall(folder)  # noqa: S202  its paths were looked at above
        except zipfile.BadZipFile as error:
            raise ValueError(str(error)) from error


def _escape(archive: Path, name: str) -> str:
    return f"paths within the archive {archive.name} expected, found one that leads out ({name}): do not trust it"
