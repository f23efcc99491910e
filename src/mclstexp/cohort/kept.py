"""What the models of one evaluation have in common is computed once: prototypes, and tokens of slides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

from filelock import FileLock
from safetensors.numpy import load_file, save_file

from mclstexp.core import identity
from mclstexp.core.method import State
from mclstexp.io.atomic import atomic_path
from mclstexp.io.seal import is_sealed, seal

MOST_BYTES: Final = 64 * 2**20
"""What is larger is not kept: a fold's full tokens of a thousand patients would be a quarter of a gigabyte."""
_folder: ContextVar[Path | None] = ContextVar("_folder", default=None)


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Keep within the block what `computed_once` computes, for this process and others that work in this folder."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def computed_once(what: str, parts: Callable[[], Sequence[Any]], make: Callable[[], State]) -> State:
    """Return what an earlier call computed, or compute it; outside of `kept_in` it is computed each time.

    A process that asks for what another computes waits for it.

    Parameters
    ----------
    what
        What it is.
    parts
        Says all that it depends on, as `identity.of` takes it.
    make
        Computes it.
    """
    folder = _folder.get()
    if folder is None:
        return make()
    folder.mkdir(parents=True, exist_ok=True)
    key = identity.of(what, *parts())
    lock = FileLock(folder / f"{key}.lock")
    with suppress(OSError, NotImplementedError):  # where nobody knows locks, everybody computes
        lock.acquire()
    try:
        arrays, meta = folder / f"{key}.safetensors", folder / f"{key}.json"
        if is_sealed(arrays, key=key) and is_sealed(meta, key=key):
            return State(load_file(arrays), json.loads(meta.read_text(encoding="utf-8")))
        made = make()
        if sum(array.nbytes for array in made.arrays.values()) <= MOST_BYTES:
            with atomic_path(arrays, durable=False, ours=True) as path:
                save_file(made.arrays, path)
            with atomic_path(meta, durable=False, ours=True) as path:
                path.write_text(json.dumps(made.meta), encoding="utf-8")
            seal(arrays, key=key)
            seal(meta, key=key)
        return made
    finally:
        lock.release()
