"""Which tiles a bag holds, in a key."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import numpy as np

from mclstexp.cohort.feature_files import FileBag
from mclstexp.core.bag import Bag

_END: Final = 65536


def known_by(bag: Bag | None) -> Any:
    """Return what tells a bag from others, as `identity.of` takes it: its features, and those of its wider scales.

    Files of features are known by name, size, time of change, and their first and last 64 KiB: to read a thousand whole
    slides would take longer than what is made of them.
    """
    if bag is None:
        return None
    own = [_file(path) for path in bag.files] if isinstance(bag, FileBag) else _content(bag)
    return [own, [known_by(wider) for wider in bag.coarser]]


def _content(bag: Bag) -> list[Any]:
    digest = hashlib.sha256()
    for chunk in bag.chunks():
        digest.update(np.ascontiguousarray(chunk).tobytes())
    return [bag.n_tiles, bag.dim, digest.hexdigest()]


def _file(path: Path) -> list[Any]:
    known = path.stat()
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(_END))
        file.seek(max(0, known.st_size - _END))
        digest.update(file.read(_END))
    return [path.name, known.st_size, known.st_mtime_ns, digest.hexdigest()]
