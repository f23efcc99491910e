"""Turns what a broken file raises into the one sentence a user is meant to read."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mclstexp.core.errors import InputError


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Wrap the reading of `path`: whatever it raises becomes an `InputError` that names the file.

    Parameters
    ----------
    path
        The file being read.
    what
        What it should have been, as in "a 10x count matrix".

    Raises
    ------
    InputError
        If the file is absent, truncated, of another format, or lacks a part.
    """
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError as error:
        msg = f"{what} expected at {path}, found no such file: check the path"
        raise InputError(msg) from error
    except KeyError as error:
        msg = f"{what} expected in {path}, found a part missing ({error.args[0]}): check that it is such a file"
        raise InputError(msg) from error
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        msg = f"{what} expected in {path}, found a file that is damaged or of another kind ({reason}): fetch it again"
        raise InputError(msg) from error


def first_of(folder: Path, names: Sequence[str], *, what: str) -> Path:
    """Return the first of `names` (glob patterns) found in `folder`.

    Raises
    ------
    InputError
        If none is there, or one pattern fits several files.
    """
    for name in names:
        # macOS leaves "._name" twins in archives
        found = sorted(path for path in folder.glob(name) if not path.name.startswith("."))
        if len(found) > 1:
            listed = ", ".join(path.name for path in found[:4])
            msg = f"one {what} expected in {folder}, found {len(found)} ({listed}): keep each section in its own folder"
            raise InputError(msg)
        if found:
            return found[0]
    msg = f"{what} expected in {folder}, found none: looked for {', '.join(names)}"
    raise InputError(msg)
