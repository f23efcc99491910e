"""Finished parts of an evaluation on disk, so that one that was killed recomputes only what is missing."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, final

import pandas as pd

from mclstexp.core.identity import hash_section
from mclstexp.core.predictor import Predictor, options
from mclstexp.data.folds import Fold
from mclstexp.io.atomic import atomic_path

_FOLDER: Final = "parts"


@final
class Parts:
    """Scores of one method on one fold each, under a key that says all they depend on.

    Parameters
    ----------
    folder
        Where they lie; need not exist.
    about
        What every part depends on beside method and fold: protocol, space, gene sets, tiles, versions. Plain JSON.
    """

    def __init__(self, folder: Path, *, about: Mapping[str, Any]) -> None:
        self._folder, self._about = folder / _FOLDER, dict(about)
        self._hashes: dict[str, str] = {}

    def key(self, label: str, method: Predictor, fold: Fold) -> str:
        """Return the key of a method's scores on a fold; another option, count, pixel or line of code is another."""
        content = {
            "about": self._about,
            "label": label,
            "method": method.name,
            "options": {name: repr(value) for name, value in options(method).items()},
            "source": _source_hash(type(method)),
            "fold": [fold.name, fold.by],
            "train": [self._hash(section) for section in fold.train],
            "test": [self._hash(section) for section in fold.test],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:32]

    def path(self, key: str) -> Path:
        """Return where a part lies once it is finished."""
        return self._folder / f"{key}.parquet"

    def write(self, key: str, scores: pd.DataFrame) -> None:
        """Keep a part; it appears whole or not at all."""
        with atomic_path(self.path(key)) as path:
            scores.to_parquet(path, index=False)

    def read(self, key: str) -> pd.DataFrame | None:
        """Return a part, or None where it is missing or damaged."""
        try:
            return pd.read_parquet(self.path(key))
        except (OSError, ValueError):  # pyarrow's errors are both
            return None

    def _hash(self, section: Any) -> str:
        if section.id not in self._hashes:
            tiles = section.tiles
            self._hashes[section.id] = f"{hash_section(section)} {tiles.slide.fingerprint()} {section.patient}"
        return self._hashes[section.id]


def _source_hash(cls: type) -> str:
    """Hash the file a method is written in: who edits it and runs again wants new scores."""
    try:
        return hashlib.sha256(inspect.getsource(inspect.getmodule(cls) or cls).encode()).hexdigest()[:16]
    except (OSError, TypeError):
        return ""
