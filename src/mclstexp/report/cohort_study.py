"""What an evaluation on a cohort wrote, read once for its page."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import pandas as pd

from mclstexp.analysis.pairs import read_record
from mclstexp.cohort.results import (
    ANSWERS,
    CALIBRATION,
    EXPLAINED,
    RISK_GROUPS,
    ROC,
    read_answers,
    read_summary,
    read_table,
)
from mclstexp.core.errors import InputError
from mclstexp.core.outcome_model import CLINIC
from mclstexp.evaluation.results import SCORES

BRIDGE: Final = "prototype_x_pathway"
"""The model that a page looks at unasked, beside the clinic where it is so in the table."""


@dataclass(frozen=True, eq=False)
class CohortStudy:
    """Results of a comparison on a cohort, and the model that the page looks at."""

    record: Mapping[str, Any]
    """How they came about (``experiment.json``)."""
    summary: pd.DataFrame
    """A row for each model, best first, as ``summary.csv`` has it."""
    answers: pd.DataFrame
    """What every model said of every patient that it was not fitted on, and what came."""
    method: str
    """Label of the model that is looked at."""
    folder: Path
    """Where they lie."""

    @property
    def baseline(self) -> str:
        """The model that all others are held against."""
        return str(self.record["experiment"]["baseline"])

    @property
    def kind(self) -> str:
        """Of the outcome: "survival", "binary", "continuous"."""
        return str(self.record["cohort"]["kind"])

    @property
    def outcome(self) -> str:
        """What the outcome is called."""
        return str(self.record["cohort"]["outcome"])

    @property
    def has_baseline(self) -> bool:
        """Whether there is a baseline that did not fail."""
        return self.baseline in self.summary.index and not self.summary["n_failed"][self.baseline]

    @property
    def looked_at(self) -> list[str]:
        """The page's model, and the baseline where it is another one."""
        return list(dict.fromkeys([self.method, *([self.baseline] if self.has_baseline else [])]))

    @cached_property
    def calibration(self) -> pd.DataFrame:
        """What was foretold beside what came, in quintiles."""
        return self._table(CALIBRATION)

    @cached_property
    def risk_groups(self) -> pd.DataFrame:
        """Curves of risk groups; none of other outcomes than survival."""
        return self._table(RISK_GROUPS)

    @cached_property
    def roc(self) -> pd.DataFrame:
        """ROC curves; none of other outcomes than yes or no."""
        return self._table(ROC)

    @cached_property
    def prototypes(self) -> pd.DataFrame:
        """Prototypes of every fold, and which kind each is; none where no model has any."""
        return self._table(EXPLAINED["prototypes"])

    @cached_property
    def products(self) -> pd.DataFrame:
        """What each prototype and each pathway add together, in every fold."""
        return self._table(EXPLAINED["products"])

    @cached_property
    def tiles(self) -> pd.DataFrame:
        """Tiles that show the kinds, and where they lie."""
        return self._table(EXPLAINED["tiles"])

    def one_with(self, table: pd.DataFrame) -> str | None:
        """Return the page's model if a table has it, else one that it has by the rule of `default_model`; or None."""
        there = self.summary[self.summary.index.isin(table["method"].unique() if len(table) else [])]
        if self.method in there.index or there.empty:
            return self.method if len(there) else None
        return default_model(there, baseline=self.baseline)

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of the files that the page was made from."""
        files = (ANSWERS, SCORES)
        return {name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest() for name in files}

    def row(self, method: str) -> pd.Series:
        """Return what the summary says of one model."""
        return cast("pd.Series", self.summary.loc[method])

    def of(self, table: pd.DataFrame, method: str) -> pd.DataFrame:
        """Return the rows of one model; none where the table is empty."""
        return table[table["method"] == method] if len(table) else table

    def _table(self, name: str) -> pd.DataFrame:
        return read_table(self.folder, name)


def read_cohort_study(results: Path | str, method: str | None = None) -> CohortStudy:
    """Read what ``mclstexp cohort evaluate`` wrote.

    Parameters
    ----------
    results
        The folder.
    method
        Label of the model that is looked at; by default `default_model`.

    Raises
    ------
    InputError
        If there are no such results, they are damaged, or the model is not among them or failed.
    """
    folder, record = Path(results), read_record(results)
    summary = read_summary(folder)
    label = default_model(summary, baseline=str(record["experiment"]["baseline"])) if method is None else method
    if label not in summary.index:
        msg = f"a model of {folder} ({', '.join(map(str, summary.index))}) expected, found {label!r}: name one"
        raise InputError(msg)
    if summary["n_failed"][label]:
        whole = ", ".join(map(str, summary.index[summary["n_failed"] == 0])) or "none"
        reason = str(summary["reason"][label])
        msg = f"a model that did not fail expected ({whole}), found {label!r}: {reason}"
        raise InputError(msg)
    return CohortStudy(record, summary, read_answers(folder), label, folder)


def default_model(summary: pd.DataFrame, *, baseline: str = "clinical") -> str:
    """Return the model that is looked at unasked, which is not chosen by how well it did.

    The bridge beside the clinic, the bridge, any model beside the clinic, any that is no control, the baseline: the
    first of these that did not fail; of several the first by name.
    """
    whole = summary[summary["n_failed"] == 0]
    names = sorted(map(str, whole.index))
    beside = [name for name in names if name.startswith(CLINIC)]
    others = [name for name in names if str(whole["kind"][name]) == "method" and name != baseline]
    wanted = [CLINIC + BRIDGE, BRIDGE, *beside, *others, baseline, *names]
    found = next((name for name in wanted if name in names), None)
    return str(summary.index[0]) if found is None else found
