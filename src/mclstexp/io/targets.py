"""Places to write to: asked before hours of work, so that nothing is replaced by mistake."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.io.atomic import restore


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


def require_free_file(path: Path, *, what: str, overwrite: bool) -> None:
    """Refuse a place where a file cannot be written, or would replace one by mistake.

    Parameters
    ----------
    path
        Where the file is to be written; its folder is made if absent.
    what
        What is to be written, as in "the table".
    overwrite
        Whether a file that is there is replaced.

    Raises
    ------
    InputError
        If there is a folder, or a file and `overwrite` is not set; or the folder cannot be written to.
    """
    restore(path)
    if path.is_dir() or (path.exists() and not overwrite):
        found = "is a folder" if path.is_dir() else "already exists"
        advice = "name a file" if path.is_dir() else f"choose another place or give {word('overwrite')}"
        msg = f"{what} cannot be written, {path} {found}: {advice}"
        raise InputError(msg)
    require_writable(path.parent)


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
