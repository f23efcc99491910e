"""All that a page says of one method, measured once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.analysis.gene_ranking import rank_genes
from mclstexp.analysis.pairs import Pair, default_method, read_pairs, read_record
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.evaluation.calibration import Teachers, interval_widths, teachers
from mclstexp.evaluation.experiment import PREDICT
from mclstexp.evaluation.results import RECORD, SCORES, read_results, summarise_scores

_SECTION: Final = "pcc_"


@dataclass(frozen=True, eq=False)
class Study:
    """One method's predictions of an evaluation, and what was measured of all methods."""

    record: Mapping[str, Any]
    """How the results came about (``experiment.json``)."""
    scores: pd.DataFrame
    """Every score of every method."""
    method: str
    """Label of the method that is looked at."""
    pairs: Sequence[Pair]
    """Its sections, measured and predicted."""
    scores_hash: str = ""
    """SHA-256 of the file of scores."""

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per method, as ``mclstexp evaluate`` prints it."""
        return summarise_scores(self.scores)

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """One row per gene, best first (see `rank_genes`)."""
        return rank_genes(self.pairs)

    @cached_property
    def widths(self) -> dict[str, Float[np.ndarray, "n_spots n_genes"]]:
        """Half widths of the intervals by section; empty where there is no second section to learn them from."""
        return interval_widths(self.pairs) if len(self.pairs) > 1 else {}

    @cached_property
    def teachers(self) -> dict[str, Teachers]:
        """What each section's intervals are learnt on, and for whom they hold."""
        return teachers(self.pairs)

    def pcc_of(self, section: str) -> pd.Series:
        """Return each ranked gene's PCC on one section, NaN where it was not judged there."""
        return self.ranking[f"{_SECTION}{section}"]

    @property
    def task(self) -> str:
        """The question: "predict", "impute", "enhance"."""
        return str(self.record["experiment"].get("task") or PREDICT)

    @property
    def title(self) -> str:
        """What was asked."""
        return str(self.record["experiment"].get("title") or "An evaluation")


def read_study(results: Path | str, method: str | None = None, *, data: Path | str | None = None) -> Study:
    """Read what ``mclstexp evaluate`` wrote, and again the sections it was made from.

    Parameters
    ----------
    results, method, data
        As in `read_pairs`.

    Raises
    ------
    InputError
        If there are no results or no predictions, the method is not among them, or the data cannot be read or are
        not those that were evaluated.
    """
    folder = Path(results)
    if not (folder / RECORD).is_file():
        found = "no folder" if not folder.is_dir() else f"no {RECORD} in it"
        msg = f"a folder that mclstexp evaluate wrote expected at {folder}, found {found}: give that folder"
        raise InputError(msg)
    record = read_record(folder)
    if not (folder / "predictions").is_dir():
        msg = (
            f"predictions expected in {folder}, found none: say predictions = true in the experiment file "
            "and evaluate again"
        )
        raise InputError(msg)
    place = record["experiment"].get("data", {}).get("path")
    if data is None and place and not Path(place).exists():
        advice = f"say where they lie now with {word('data')}"
        msg = f"the data that were evaluated expected at {place}, found nothing: {advice}"
        raise InputError(msg)
    pairs = read_pairs(folder, method, data=data)
    scores, hashed = read_results(folder), hashlib.sha256((folder / SCORES).read_bytes()).hexdigest()
    return Study(record, scores, method or default_method(record), pairs, scores_hash=hashed)
