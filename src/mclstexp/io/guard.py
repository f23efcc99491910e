"""Turns whatever a bad file raises into the one sentence a user is meant to read."""

from __future__ import annotations

import errno
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from mclstexp.core.errors import InputError
from mclstexp.core.wording import shortened, shown

P = ParamSpec("P")
T = TypeVar("T")

_REASON: Final = 120
"""Characters of a library's own words at most."""
_CLOSED: Final = {
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EISDIR: "give a file",
    errno.ENOTDIR: "check the path",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.ELOOP: "remove the links that lead to each other",
    errno.EMFILE: "raise the limit (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.EIO: "check the disk, or copy the file to another one",
    errno.ESTALE: "try again",
}
"""What the system may say of a file whose content is not to blame, and what to do about it."""


@contextmanager
def reading(path: Path | str, what: str) -> Iterator[None]:
    """Wrap the reading of `path`: whatever it raises becomes an `InputError` that names the file.

    A file's bytes come from outside, and no list of errors is complete for what libraries raise on bytes that nobody
    foresaw. What was raised stays the cause: ``--debug`` shows where, also if the fault is this package's own.

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
    except Exception as error:
        raise InputError(_sentence(path, what, error)) from error


def guarded(what: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a function that reads the path it is given first stand inside `reading` as a whole."""

    def decorate(read: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(read)

        @functools.wraps(read)
        def within(*args: P.args, **kwargs: P.kwargs) -> T:
            given: dict[str, Any] = signature.bind(*args, **kwargs).arguments  # a wrong call is no wrong file
            with reading(next(iter(given.values())), what):
                return read(*args, **kwargs)

        return within

    return decorate


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


def _sentence(path: Path | str, what: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        within = str(error.filename) not in ("None", str(path))
        found = f"no {Path(str(error.filename)).name} for it" if within else "no such file"
        return f"{what} expected at {path}, found {found}: check the path"
    if isinstance(error, OSError) and error.errno in _CLOSED:
        return f"{what} expected at {path}, found it closed ({error.strerror}): {_CLOSED[error.errno]}"
    if isinstance(error, MemoryError):
        asked = f" ({reason})" if (reason := _reason(error)) != "MemoryError" else ""
        return f"{what} expected in {path}, found one that asks for more memory than there is{asked}: check the file"
    if isinstance(error, KeyError) and error.args:
        part = error.args[0] if isinstance(error.args[0], str) else shown(error.args[0])
        return f"{what} expected in {path}, found a part missing ({part}): check that it is such a file"
    if isinstance(error, UnicodeDecodeError) and error.encoding == "utf-8" and _is_text(error.object):
        return f"{what} expected in {path}, found text in another encoding, or another kind of file: save it as UTF-8"
    found = f"a file that is damaged or of another kind ({_reason(error)})"
    return f"{what} expected in {path}, found {found}: fetch it again"


def _is_text(content: bytes) -> bool:
    """Whether bytes may be text in an encoding of Windows or in UTF-16, and not a picture or an archive."""
    return content.startswith((b"\xff\xfe", b"\xfe\xff")) or not any(byte < 9 for byte in content[:1000])


def _reason(error: Exception) -> str:
    """Return the first line of what an error says, or its name if it says nothing."""
    try:
        lines = str(error).strip().split("\n")
    except Exception:  # noqa: BLE001  an error that cannot even be shown is known by its name
        lines = [""]
    return shortened(lines[0].rstrip(".") or type(error).__name__, _REASON)
