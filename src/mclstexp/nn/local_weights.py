"""Encoder weights of local files, found again by their hash: a saved model names no path of the machine it is from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from mclstexp.core.errors import InputError
from mclstexp.data.features import cache_folder
from mclstexp.io.atomic import atomic_path

PREFIX: Final = "weights:"
"""``NAME@weights:HASH`` is the encoder whose `weights_hash` it is, wherever the file lies."""
FOLDERS: Final = "MCLSTEXP_WEIGHTS"
"""Environment variable: files of weights and folders with such files, separated as in ``PATH``."""
_SUFFIXES: Final = (".safetensors", ".pt", ".pth", ".bin")


def remember_weights(weights_hash: str, file: Path) -> None:
    """Note where weights lie; on this machine a model that was saved finds them without being told."""
    note = _note(weights_hash)
    text = str(file.absolute())
    with suppress(OSError, InputError):  # a convenience: without it the variable says where
        if not note.is_file() or note.read_text(encoding="utf-8") != text:
            with atomic_path(note) as path:
                path.write_text(text, encoding="utf-8")


def weights_files(weights_hash: str) -> Iterator[Path]:
    """Yield files that may hold the weights: where they were last, then what `FOLDERS` names."""
    with suppress(OSError, UnicodeDecodeError):
        yield Path(_note(weights_hash).read_text(encoding="utf-8"))
    for place in filter(None, os.environ.get(FOLDERS, "").split(os.pathsep)):
        path = Path(place).expanduser()
        yield from sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES) if path.is_dir() else (path,)


def _note(weights_hash: str) -> Path:
    return cache_folder() / "weights" / f"{weights_hash}.txt"
