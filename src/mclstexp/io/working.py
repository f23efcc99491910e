"""A folder where unfinished work lies beside its result: with an owner, for one thing, and gone when that is done."""

from __future__ import annotations

import errno
import json
import socket
import stat
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from filelock import FileLock, Timeout

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path, remove_tree, restore
from mclstexp.io.owner import Owner

_OWNER: Final = "owner.json"
_LOCK: Final = "owner.lock"
_KEY: Final = "key.txt"


@final
@dataclass(frozen=True)
class WorkingFolder:
    """A working folder that is ours while the block of `working_folder` lasts."""

    path: Path
    """The folder."""

    def keep_only(self, key: str) -> None:
        """Say what the work depends on; what an earlier run left here for another key is removed.

        Parameters
        ----------
        key
            Of `mclstexp.core.identity`, of all that the pieces kept here depend on.
        """
        try:
            kept = (self.path / _KEY).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            kept = ""
        if kept == key:
            return
        for entry in _kept(self.path):
            remove_tree(entry) if entry.is_dir() else entry.unlink(missing_ok=True)
        with atomic_path(self.path / _KEY, durable=False, ours=True) as path:
            path.write_text(key, encoding="utf-8")


def working_path(out: Path | str) -> Path:
    """Return where the unfinished work for a result lies: a hidden folder beside it."""
    out = Path(out)
    if out.name in ("", ".."):
        out = out.resolve()
    return out.with_name(f".{out.name}.partial")


@contextmanager
def working_folder(path: Path | str, *, doing: str, wait_s: float = 0) -> Iterator[WorkingFolder]:
    """Make a folder for unfinished work ours; it is removed if the block succeeds, and kept for the next run if not.

    One in which nothing was kept is removed in any case. What dead processes left is taken over. A folder of that name
    which is not of this package is set aside, with a warning. Where the file system knows no locks, the process that
    the folder names is asked after.

    Parameters
    ----------
    path
        See `working_path`.
    doing
        What is done here, as in "a fit"; who is refused reads it.
    wait_s
        How long to wait (s) for another process that has it.

    Raises
    ------
    InputError
        If a living process has it, or it cannot be made.
    """
    path = Path(path)
    restore(path)
    try:
        lock = _claim(path, wait_s)
    except OSError as error:
        msg = f"a folder that can be written to expected for {path}, found: {error.strerror}: choose another place"
        raise InputError(msg) from error
    try:
        with atomic_path(path / _OWNER, durable=False, ours=True) as temporary:
            temporary.write_text(json.dumps(_about(doing)) + "\n", encoding="utf-8")
        yield WorkingFolder(path)
        remove_tree(path)
    except BaseException:
        if not _kept(path):
            remove_tree(path)
        raise
    finally:
        lock.release()


def _about(doing: str) -> dict[str, Any]:
    began = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"mclstexp": doing, "owner": str(Owner.me()), "host": socket.gethostname(), "began": began}


def _claim(path: Path, wait_s: float) -> FileLock:
    """Make a folder, or take one over, and return its lock; or say who has it."""
    for _ in range(100):
        # its owner may finish, and remove it, at any moment: then what we got is the lock of nothing, and we try again
        with suppress(FileNotFoundError, FileExistsError):
            if _is_no_folder(path):
                _set_aside(path)
            path.mkdir(parents=True, exist_ok=True)
            if (path / _LOCK).is_symlink():  # no run makes one, and it may lead to itself
                (path / _LOCK).unlink()
            (path / _LOCK).touch()
            before = (path / _LOCK).stat().st_ino
            lock = _locked(path, wait_s)
            if (path / _LOCK).stat().st_ino == before:
                if not _is_foreign(path):
                    return lock
                (path / _LOCK).unlink()
                _set_aside(path)
            lock.release()
    raise OSError(errno.EAGAIN, "a folder that comes and goes")


def _locked(path: Path, wait_s: float) -> FileLock:
    lock = FileLock(path / _LOCK, timeout=wait_s)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(_taken(path)) from None
    except FileNotFoundError:
        raise
    except (OSError, NotImplementedError):  # a file system without locks
        owner = Owner.parse(str(_read(path).get("owner", "")))
        if owner is not None and owner != Owner.me() and not owner.is_gone():
            raise InputError(_taken(path)) from None
    return lock


def _taken(path: Path) -> str:
    about = _read(path)
    owner = Owner.parse(str(about.get("owner", "")))
    who = f"process {owner.pid} on {about.get('host')}" if owner is not None else "another process"
    since = f" since {about['began']}" if "began" in about else ""
    return (
        f"{path.name.removeprefix('.').removesuffix('.partial')}: a place that no other run works on expected, found "
        f"{about.get('mclstexp', 'a run')} of {who}{since}: wait for it or choose another {word('out')}"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads((path / _OWNER).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_no_folder(path: Path) -> bool:
    """Whether something else is there; asked once, for between two questions another process may make the folder."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return path.is_symlink()


def _is_foreign(path: Path) -> bool:
    """Whether something lies in a folder of which no owner is known."""
    return not (path / _OWNER).exists() and bool(_kept(path))


def _kept(path: Path) -> list[Path]:
    """Return what lies in a folder beside the words about its owner."""
    ours = (_OWNER, _LOCK, _KEY, f".{_OWNER}.", f".{_KEY}.")
    return [entry for entry in sorted(path.iterdir()) if not entry.name.startswith(ours)]


def _set_aside(path: Path) -> None:
    """Rename what lies where the folder is to be, and is not ours."""
    number = next(i for i in range(1, 1000) if not path.with_name(f"{path.name}.{i}").exists())
    aside = path.with_name(f"{path.name}.{number}")
    path.replace(aside)
    warnings.warn(f"{path} was not left by a run of this version and is set aside as {aside.name}", stacklevel=5)
