"""Writing so that a file is either whole or absent, and what was there before is not lost."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mclstexp.io.exchange import exchange
from mclstexp.io.owner import Owner
from mclstexp.io.writing import writing

_OLD: Final = "old"
"""What was there before, in the scratch folder, on systems that cannot exchange two folders in one step."""
_STALE_S: Final = 24 * 3600
"""Scratch of another machine, whose processes cannot be asked after, is left alone so long after its last change."""
_CANNOT_SYNC: Final = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EISDIR)


@contextmanager
def atomic_path(target: Path | str, *, durable: bool = True, ours: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `target`; rename it onto `target` if the block succeeds, else remove it.

    Works for a file and for a folder (make it at the given path); an existing target is replaced. A process may be
    killed at any moment: the target is then the old one or the new one, and whole; what it left is removed by the next
    one that writes, or asks `restore` for, the same target.

    Parameters
    ----------
    target
        Where to.
    durable
        Whether what has its name then is on the disk, so that a power cut takes nothing. Not needed, and slow, where
        what is read back is checked and can be made again.
    ours
        Whether nobody but this package keeps anything there: a folder where a file goes then gives way.

    Raises
    ------
    InputError
        If the parent folder cannot be made or written to, or the disk fills up.
    """
    target = Path(target)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        restore(target)
        scratch = _make_scratch(target)
        try:
            temporary = scratch / target.name
            yield temporary
            if durable:
                _sync_all(temporary)
            if ours and target.is_dir() and not temporary.is_dir():
                target.replace(scratch / _OLD)
            _put(temporary, target, scratch)
            if durable:
                _sync(target.parent)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def restore(target: Path | str) -> None:
    """Bring `target` back if a process died while it replaced it, and remove what dead processes left beside it.

    Nothing happens where nothing was left. Whoever looks for a target that may have been replaced calls this first.
    """
    target = Path(target)
    _finish(target.parent, name=re.escape(_short(target.name)))


def sweep(folder: Path | str) -> None:
    """Do what `restore` does for all that was ever written into a folder."""
    _finish(Path(folder), name=".+")


def remove_tree(folder: Path | str) -> None:
    """Remove a folder, so that a process that is killed meanwhile leaves none of that name with a part missing."""
    folder = Path(folder)
    if not folder.exists():
        return
    scratch = _make_scratch(folder)
    with suppress(FileNotFoundError):  # another process was quicker
        folder.replace(scratch / folder.name)
    for _ in range(5):  # who was just opening a file in it may have put one there
        shutil.rmtree(scratch, ignore_errors=True)
        if not scratch.exists():
            break


def _put(temporary: Path, target: Path, scratch: Path) -> None:
    """Let the new one take the place of the old; a folder cannot replace one that is not empty in one plain step."""
    if not (temporary.is_dir() and target.is_dir()):
        temporary.replace(target)
    elif not exchange(temporary, target):
        try:
            target.replace(scratch / _OLD)
            temporary.replace(target)
        except BaseException:  # an interruption too
            if not target.exists():
                (scratch / _OLD).replace(target)
            raise


def _finish(folder: Path, *, name: str) -> None:
    """End what dead processes began in a folder; `name` is a pattern."""
    pattern = re.compile(rf"\.{name}\.(?P<owner>[0-9a-f]{{8}}-\d+-\d+)\.\w{{8}}")
    try:
        found = [
            (folder / entry.name, match["owner"])
            for entry in os.scandir(folder)
            if (match := pattern.fullmatch(entry.name))
        ]
    except OSError:  # there is no such folder, or it cannot be read: then nothing of ours is lost there
        return
    for scratch, owner in found:
        if _is_dead(scratch, Owner.parse(owner)):
            with suppress(OSError):  # another process was quicker
                new = next((entry for entry in scratch.iterdir() if entry.name != _OLD), None)
                if new is not None and (scratch / _OLD).exists() and not (folder / new.name).exists():
                    new.replace(folder / new.name)
            shutil.rmtree(scratch, ignore_errors=True)


def _make_scratch(target: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f".{_short(target.name)}.{Owner.me()}.", dir=target.parent))


def _short(name: str) -> str:
    """Shorten a name, so that a name with its owner's beside it is no longer than file systems allow."""
    if len(os.fsencode(name)) <= 150:
        return name
    return f"{name[:30]}~{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"


def _is_dead(scratch: Path, owner: Owner | None) -> bool:
    if owner is None:
        return False
    if owner.is_near():
        return owner.is_gone()
    try:
        touched = max(path.lstat().st_mtime for path in (scratch, *scratch.rglob("*")))
    except OSError:  # it is being removed
        return False
    return time.time() - touched > _STALE_S


def _sync_all(path: Path) -> None:
    """Have a file, or a folder with all that is in it, written to the disk."""
    if path.is_dir():
        for inner in path.iterdir():
            if not inner.is_symlink():
                _sync_all(inner)
    if path.exists():  # a writer that wrote nothing is told by the rename
        _sync(path)


def _sync(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # folders cannot be opened everywhere
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:  # some network disks say only now that they are full
            raise
    finally:
        os.close(descriptor)
