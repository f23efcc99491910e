"""The words for what a system says when something cannot be written: full disks, quotas, closed places, long names."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mclstexp.core.errors import InputError

_ELSEWHERE: Final = "choose another place"
_FOLDER: Final = "a folder that can be written to"
_WORDS: Final = {
    errno.ENOSPC: ("room on the disk", "make room or choose another place"),
    errno.EDQUOT: ("room within the quota", "make room or choose another place"),
    errno.EFBIG: ("a disk that takes files of this size", _ELSEWHERE),
    errno.EROFS: (_FOLDER, _ELSEWHERE),
    errno.EACCES: (_FOLDER, _ELSEWHERE),
    errno.EPERM: (_FOLDER, _ELSEWHERE),
    errno.ENOTDIR: (_FOLDER, _ELSEWHERE),
    errno.EISDIR: (_FOLDER, _ELSEWHERE),
    errno.EEXIST: (_FOLDER, _ELSEWHERE),
    errno.ENAMETOOLONG: ("a name that the disk takes", "choose a shorter one"),
    errno.EIO: ("a disk that works", "check it or choose another place"),
    errno.EMFILE: ("more files open at once", "raise the limit (ulimit -n)"),
    errno.ENFILE: ("more files open at once", "close other programs"),
}
"""What was needed and what to do, by what the system said."""
_OF_WRITING: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Said of nothing but writing; the others may be about something that was read."""
_SPELT: Final = re.compile(r"(?:\berrno[ =]+|os error |\bOs \{ code: )(\d+)", re.IGNORECASE)


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Wrap the writing of `path`: what the system refuses becomes an `InputError` that names it.

    Raises
    ------
    InputError
        If the disk is full, a quota used up, the place closed or read-only, or the name too long.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if (said := refusal(error, path)) is not None:
            raise InputError(said) from error
        raise


def refusal(error: BaseException, path: Path | str | None = None) -> str | None:
    """Return the sentence about a place that cannot be written to; None if `error` is about something else.

    Parameters
    ----------
    error
        What was raised. HDF5, Arrow and safetensors pack the system's number into texts of their own.
    path
        What was to be written; by default the file that the error names. An error that names a file elsewhere is not
        about this one.
    """
    number = _number(error)
    if number not in _WORDS:
        return None
    named = getattr(error, "filename", None)
    if path is None:
        place = named if isinstance(named, str | os.PathLike) else "what is written"
    elif number not in _OF_WRITING and named is not None and not _beside(named, Path(path)):
        return None
    else:
        place = path
    needed, advice = _WORDS[number]
    return f"{needed} expected for {place}, found: {os.strerror(number)}: {advice}"


def is_of_writing(error: BaseException) -> bool:
    """Whether an error, or what it came of, says that a disk is full, a quota used up or a place read-only.

    Such a one is about the place and not about what was being done: done again with room, it may succeed.
    """
    seen: BaseException | None = error
    while seen is not None:
        if not isinstance(seen, InputError) and _number(seen) in _OF_WRITING:
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _SPELT.search(str(error))
    return int(found[1]) if found else None


def _beside(named: object, path: Path) -> bool:
    """Whether a file lies in the folder of `path`, or is that folder or one above it."""
    try:
        place, folder = Path(str(named)).absolute(), path.absolute().parent
    except OSError:  # the folder we are in is gone
        return True
    return place.is_relative_to(folder) or folder.is_relative_to(place)
