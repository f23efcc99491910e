"""Finished parts of an evaluation on disk, so that one that was killed recomputes only what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, final

import pandas as pd
from anndata import AnnData

from mclstexp.core import identity
from mclstexp.core.errors import InputError
from mclstexp.core.method import Method, described, options
from mclstexp.core.section import Section
from mclstexp.data.folds import Fold
from mclstexp.io.atomic import atomic_path, remove_tree
from mclstexp.io.predictions import write_prediction
from mclstexp.io.seal import is_sealed, seal

_FOLDER: Final = "parts"
_SCORES: Final = "scores.parquet"


@final
class Parts:
    """Scores and predictions of one method on one fold each, under a key that says all they depend on.

    Parameters
    ----------
    folder
        Where they lie; need not exist.
    about
        What every part depends on beside method and fold: protocol, space, gene sets, tiles, versions. Plain JSON.
    predictions
        Whether a part is whole only with the predictions of its sections.
    """

    def __init__(self, folder: Path, *, about: Mapping[str, Any], predictions: bool = False) -> None:
        self._folder, self._about, self._predictions = folder / _FOLDER, dict(about), predictions
        self._sections: dict[str, str] = {}
        self._methods: dict[str, dict[str, Any]] = {}

    def key(self, label: str, method: Method, fold: Fold) -> str:
        """Return the key of a method's scores on a fold; another option, count, pixel or line of code is another."""
        train, test = ([self._of(section) for section in sections] for sections in (fold.train, fold.test))
        return self.key_of(label, method, fold.name, fold.by, train, test)

    def key_of(self, label: str, method: Method, *parts: Any) -> str:
        """Return the key of a method's scores of what `parts` tell apart."""
        if label not in self._methods:
            self._methods[label] = _described(method)
        about = (self._about, self._predictions, label, self._methods[label])
        return identity.of("part", *about, *parts)

    def path(self, key: str) -> Path:
        """Return where the scores of a part lie once it is finished."""
        return self._folder / key / _SCORES

    def prediction(self, key: str, number: int) -> Path:
        """Return where a part's prediction of its test section number `number` lies."""
        return self._folder / key / f"section_{number}.h5ad"

    def write(self, key: str, scores: pd.DataFrame, predicted: list[AnnData]) -> None:
        """Keep a part: the scores, which appear last and whole, and the predictions of its sections where they count.

        A method that failed has scores that say so, and no predictions.
        """
        for number, answer in enumerate(predicted if self._predictions else []):
            path = self.prediction(key, number)
            if path.is_dir():
                remove_tree(path)
            seal(write_prediction(answer, path), key=key)
        with atomic_path(self.path(key), ours=True) as path:
            scores.to_parquet(path, index=False)
        seal(self.path(key), key=key)

    def read(self, key: str) -> pd.DataFrame | None:
        """Return the scores of a part, or None where it is missing or anything of it is damaged: it is to be made."""
        if not is_sealed(self.path(key), key=key):
            return None
        try:
            scores = pd.read_parquet(self.path(key))
        except (OSError, ValueError):  # pyarrow's errors are both
            return None
        n_sections = len(set(scores["section"]) - {""}) if self._predictions else 0
        whole = all(is_sealed(self.prediction(key, number), key=key) for number in range(n_sections))
        return scores if whole else None

    def _of(self, section: Section) -> str:
        if section.id not in self._sections:
            self._sections[section.id] = identity.of_section(section)
        return self._sections[section.id]


def _described(method: Method) -> dict[str, Any]:
    try:
        return described(method)
    except InputError as error:  # no such weights: the method will fail with that sentence, and its row has it
        return {"method": method.name, "options": options(method), "fails": str(error)}
