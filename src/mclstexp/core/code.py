"""Which code runs: what was computed by other code is not the same."""

from __future__ import annotations

import hashlib
import inspect
from functools import cache
from pathlib import Path


@cache
def source_hash() -> str:
    """Return a hash of this package's own source files.

    Taken once in a process, which goes on with the code it started with.
    """
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parents[1]
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def class_hash(cls: type) -> str:
    """Hash the file a class is written in: who edits it and runs again wants new numbers; "" where there is none."""
    try:
        return hashlib.sha256(inspect.getsource(inspect.getmodule(cls) or cls).encode()).hexdigest()[:16]
    except (OSError, TypeError):
        return ""
