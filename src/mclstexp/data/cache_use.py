"""What the cache holds, and how it is kept within bounds; all of it can be made again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from mclstexp.data.features import cache_folder
from mclstexp.io.atomic import remove_tree

KINDS: Final = {
    "features": "embeddings of tiles",
    "weights": "hashes of local weights",
    "slides": "slides on their way, and logs",
}
"""What lies in the folders of the cache."""


@dataclass(frozen=True)
class Kept:
    """One folder of embeddings: those of one slide, tile size and encoder."""

    path: Path
    """Where."""
    n_bytes: int
    """How large."""
    used: float
    """When something was last added or found, in seconds since 1970."""


def sizes(folder: Path | None = None) -> dict[str, tuple[int, int]]:
    """Return the number of files and of bytes of each kind, and of "other"."""
    folder = cache_folder() if folder is None else folder
    found = dict.fromkeys([*KINDS, "other"], (0, 0))
    for path, n_bytes in _files(folder):
        first = path.relative_to(folder).parts[0]
        kind = first if first in KINDS else "other"
        found[kind] = (found[kind][0] + 1, found[kind][1] + n_bytes)
    return found


def kept_features(folder: Path | None = None) -> list[Kept]:
    """Return every folder of embeddings, the longest unused first."""
    folder = cache_folder() if folder is None else folder
    found = []
    for path in folder.glob("features/*/*"):
        with suppress(OSError):
            found.append(Kept(path, sum(n_bytes for _, n_bytes in _files(path)), path.stat().st_mtime))
    return sorted(found, key=lambda kept: (kept.used, kept.path))


def bound_features(limit_bytes: int, folder: Path | None = None) -> list[Kept]:
    """Remove the embeddings that were unused for longest until the others fit; those in use by a run stay.

    Parameters
    ----------
    limit_bytes
        What may stay; 0 removes all.
    folder
        The cache; by default `cache_folder`.

    Returns
    -------
    What was removed.
    """
    kept = kept_features(folder)
    total, removed = sum(each.n_bytes for each in kept), []
    for each in kept:
        if total <= limit_bytes:
            break
        lock = FileLock(each.path / "turn.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:  # it is being filled
            continue
        except (OSError, NotImplementedError):  # a file system without locks, where everybody computes for himself
            pass
        try:
            remove_tree(each.path)
        finally:
            lock.release()
        total -= each.n_bytes
        removed.append(each)
    return removed


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in folder.rglob("*"):
        with suppress(OSError):  # another process removed it
            if path.is_file() and not path.is_symlink():
                yield path, path.stat().st_size
