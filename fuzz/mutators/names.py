"""The file itself: gone, a folder, a link that leads nowhere, two of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random


def mutate(path: Path, chance: Random) -> str:
    """Put something else in a file's place."""
    kind = chance.choice(
        ("removed", "a folder", "a link to nothing", "a link to itself", "twice", "empty", "hidden twin")
    )
    if kind == "twice":
        shutil.copyfile(path, path.with_name(f"copy of {path.name}"))
        return "a second one"
    if kind == "hidden twin":
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07")
        return "a hidden twin, as macOS leaves"
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    elif kind == "a link to nothing":
        path.symlink_to(path.with_name("nothing"))
    elif kind == "a link to itself":
        path.symlink_to(path.name)
    elif kind == "empty":
        path.write_bytes(b"")
    return kind
