"""Unpacking archives that nobody vouches for."""

from __future__ import annotations

import gzip
import json
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Final

from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path
from mclstexp.io.guard import reading

MARKER: Final = ".fetched.json"
"""In an unpacked folder: size of each of its files in bytes, by path."""


def incomplete(folder: Path) -> str | None:
    """Say what keeps a folder from being what `unpack` once made; None if nothing does."""
    try:
        sizes = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        wrong = [name for name, size in sizes.items() if (folder / name).stat().st_size != size]
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        return "other files" if missing == MARKER else f"{missing} missing"
    except (OSError, ValueError, AttributeError):
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
        if zipfile.is_zipfile(archive):
            _unzip(archive, temporary)
        else:
            _untar(archive, temporary)
        inside = [path for path in temporary.iterdir() if path.name != "pax_global_header"]
        if len(inside) == 1 and inside[0].is_dir():
            outer = inside[0].rename(temporary.with_name("outer"))
            shutil.rmtree(temporary)
            outer.rename(temporary)
        for packed in temporary.rglob("*.jpg.gz"):
            with gzip.open(packed) as source, packed.with_suffix("").open("wb") as target:
                shutil.copyfileobj(source, target)
            packed.unlink()
        sizes = {
            str(path.relative_to(temporary)): path.stat().st_size for path in temporary.rglob("*") if path.is_file()
        }
        (temporary / MARKER).write_text(json.dumps(sizes, indent=1) + "\n", encoding="utf-8")
    return folder


def _untar(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except tarfile.FilterError as error:
        raise InputError(_escape(archive, error.tarinfo.name)) from error
    except tarfile.TarError as error:
        raise ValueError(str(error)) from error


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for name in packed.namelist():
            # zipfile would quietly put it elsewhere
            if name.startswith(("/", "\\")) or ".." in Path(name.replace("\\", "/")).parts:
                raise InputError(_escape(archive, name))
        try:
            packed.extractall(folder)  # noqa: S202  its paths were looked at above
        except zipfile.BadZipFile as error:
            raise ValueError(str(error)) from error


def _escape(archive: Path, name: str) -> str:
    return f"paths within the archive {archive.name} expected, found one that leads out ({name}): do not trust it"
