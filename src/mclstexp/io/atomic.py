"""Writing so that a file is either whole or absent."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mclstexp.core.errors import InputError


@contextmanager
def atomic_path(target: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `target`; rename it onto `target` if the block succeeds, else remove it.

    Works for a file and for a folder (make it at the given path); an existing target is replaced.

    Raises
    ------
    InputError
        If the parent folder cannot be made or written to.
    """
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        msg = f"a folder that can be written to expected for {target}, found: {error.strerror}: choose another place"
        raise InputError(msg) from error
    try:
        temporary = scratch / target.name
        yield temporary
        if temporary.is_dir() and target.is_dir():
            target.replace(scratch / "old")
        temporary.replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
