"""What lies in a folder, without what operating systems leave there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_LEFT: Final = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir"})


def is_shown(name: str) -> bool:
    """Whether a file or folder of that name was put there by a person: not hidden, and no system's own."""
    return not name.startswith(".") and name.lower() not in _LEFT


def entries(folder: Path) -> list[Path]:
    """List the files and folders directly in a folder that `is_shown`, by name; none if there is no such folder."""
    return sorted(path for path in folder.iterdir() if is_shown(path.name)) if folder.is_dir() else []


def files_within(folder: Path) -> list[Path]:
    """List the files at any depth of a folder, in what `is_shown` alone."""
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and all(map(is_shown, path.relative_to(folder).parts))
    )
