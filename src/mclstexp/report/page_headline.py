"""The table of methods as the evaluation printed it, and what it says in one sentence each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from mclstexp.evaluation.compare import compare_methods
from mclstexp.evaluation.explained import say_explained
from mclstexp.evaluation.resampling import cannot_tell
from mclstexp.evaluation.summary import FAILED, TRANSDUCTIVE, TUNED, headline
from mclstexp.evaluation.tables import brief_rows, summary_rows
from mclstexp.report.page_study import Study


@dataclass(frozen=True)
class Headline:
    """The table of methods."""

    heading: list[str]
    """Names of the columns."""
    rows: list[dict[str, Any]]
    """Each with "cells", "kind" ("method", "control", "reference") and "shown" (the page's method)."""
    all_heading: list[str]
    """The same of every column that the results have."""
    all_rows: list[list[str]]
    basis: list[str]
    """Sentences: patients, sections and folds; what was averaged."""
    explained: list[str]
    """How much of the score depth or stain explains."""


def make_headline(study: Study) -> Headline:
    """Return the table that ``mclstexp evaluate`` printed and the whole of it, best first, then references."""
    heading, cells = brief_rows(study.summary)
    kinds = study.summary["kind"]
    rows = [
        {"cells": row, "kind": str(kind), "shown": str(name) == study.method}
        for row, name, kind in zip(cells, kinds.index, kinds, strict=True)
    ]
    explained = say_explained(study.summary, study.method)[:1]
    return Headline(heading, rows, *summary_rows(study.summary), basis=headline(study.summary)[:2], explained=explained)


def against_controls(study: Study) -> str:
    """Say whether the page's method is better than the best control, which says whether it has learnt anything."""
    found = best_control(study)
    if found is None:
        return ""
    word = "above" if found["difference"] > 0 else "below"
    return (
        f"{study.method} is {abs(found['difference']):.3f} PCC {word} the best control, {found['baseline']}"
        f"{_sure(found, study.summary.attrs['units'])}."
    )


def best_control(study: Study) -> pd.Series | None:
    """Return the row of `compare_methods` of the page's method against the best control; None without one."""
    kinds = study.summary["kind"]
    controls = study.summary[(kinds == "control") & (study.summary.index != study.method)]["pcc"].dropna()
    if controls.empty:
        return None
    best = str(controls.idxmax())
    table = compare_methods(study.scores, over=study.summary.attrs["over"], baseline=best)
    row = table[(table["method"] == study.method) & table["difference"].notna()]
    return None if row.empty else row.iloc[0]


def not_told_apart(study: Study) -> tuple[str, list[str]]:
    """Return the best method, and those that cannot be told from it: p of 0.05 or more, or an interval about 0.

    With so few units that no p can be small these are all others.
    """
    table = compare_methods(study.scores, over=study.summary.attrs["over"])
    if table.empty:
        return "", []
    return str(table["baseline"].iloc[0]), [str(name) for name in table.loc[~table["told_apart"], "method"]]


def explain_marks(study: Study) -> list[str]:
    """Explain the marks that stand behind names in the table."""
    judged = study.summary[study.summary["kind"] != "reference"]
    said = []
    if judged["transductive"].astype(bool).any():
        said.append(f"{TRANSDUCTIVE} looked at all of a tested section at once")
    if judged["tuned"].astype(bool).any():
        said.append(f"{TUNED} defaults were chosen by scores on these very data")
    if (judged["n_failed"] > 0).any():
        said.append(f"{FAILED} failed in a fold, and is averaged over fewer sections")
    return said


def _sure(row: pd.Series, over: str) -> str:
    """Write interval and p of a difference, and whether any p could have told it."""
    if pd.isna(row["low"]):
        return ""
    p = f"p\u00a0= {row['p']:.2g}, where the smallest possible is {row['smallest_p']:.2g}"
    few = cannot_tell(int(row["n_units"]), over).removesuffix(".")
    return f" (95 % interval {_signed(row['low'])} to {_signed(row['high'])} over {row['n_units']} {over}s; {few or p})"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "\u2212")
