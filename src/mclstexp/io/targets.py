"""Places to write to: asked before hours of work, so that nothing is replaced by mistake."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.io.atomic import restore

_TABLES: Final = (".csv", ".tsv", ".txt", ".json", ".geojson", ".parquet", ".h5", ".hdf5", ".npy", ".rds", ".xlsx")
_PICTURES: Final = (".html", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
_NO_FOLDERS: Final = frozenset((*_TABLES, *_PICTURES))
"""Endings that nobody gives to a folder."""


def require_writable(folder: Path) -> None:
    """Refuse a folder that nothing can be written into, by trying; it is made if absent.

    Raises
    ------
    InputError
        If it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"1")
    except OSError as error:
        msg = f"a folder that can be written to expected at {folder}, found: {error.strerror}: choose another place"
        raise InputError(msg) from error


def require_free_file(
    path: Path, *, what: str, overwrite: bool, endings: Sequence[str] = (), made_of: Sequence[Path | str] = ()
) -> None:
    """Refuse a place where a file cannot be written, or would replace one by mistake.

    Parameters
    ----------
    path
        Where the file is to be written; its folder is made if absent.
    what
        What is to be written, as in "the table".
    overwrite
        Whether a file that is there is replaced.
    endings
        What its name must end in, as programs tell by that what a file holds; any by default.
    made_of
        What it is made of, which it must not replace.

    Raises
    ------
    InputError
        If there is a folder, or a file and `overwrite` is not set; it is one of those it is made of; its name says that
        it is another kind of file; or the folder cannot be written to.
    """
    if endings and not path.name.lower().endswith(tuple(endings)) and not path.is_dir():
        msg = f"a file {' or '.join(endings)} for {what} expected, found {path}: give it that ending"
        raise InputError(msg)
    if path.exists() and any(Path(one).exists() and path.samefile(one) for one in made_of):
        msg = f"another place for {what} than what it is made of expected, found {path}: name a new file"
        raise InputError(msg)
    restore(path)
    if path.is_dir() or (path.exists() and not overwrite):
        found = "is a folder" if path.is_dir() else "already exists"
        advice = "name a file" if path.is_dir() else f"choose another place or give {word('overwrite')}"
        msg = f"{what} cannot be written, {path} {found}: {advice}"
        raise InputError(msg)
    require_writable(path.parent)


def require_place_of_predictions(out: Path | str) -> None:
    """Refuse a name that is meant for a file of a kind in which no prediction is written: a folder would be made of it.

    Raises
    ------
    InputError
        If it ends as a table, a picture or a text does.
    """
    if Path(out).suffix.lower() in _NO_FOLDERS and not Path(out).is_dir():
        msg = f"a name that ends in .h5ad, or of a folder, expected for predictions, found {out}: rename it"
        raise InputError(msg)


def require_free(folder: Path, *, mark: str, what: str, overwrite: bool) -> None:
    """Refuse a folder where writing would replace something it must not.

    Parameters
    ----------
    folder
        Where something is to be written.
    mark
        The file by which an earlier result of the same kind is known; such a one may be replaced.
    what
        What is to be written, as in "the model".
    overwrite
        Whether an earlier result is replaced. Anything else is left alone.

    Raises
    ------
    InputError
        If there is an earlier result and `overwrite` is not set, or anything else.
    """
    restore(folder)
    if (folder / mark).is_file():
        if not overwrite:
            msg = f"{what} cannot be written, {folder} already exists: choose another place or give {word('overwrite')}"
            raise InputError(msg)
    elif folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        msg = f"{what} cannot be written, {folder} holds other files: choose another place"
        raise InputError(msg)
