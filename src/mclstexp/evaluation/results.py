"""Results on disk: every score, predictions, tables for people, and the whole of how they came about."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from mclstexp.evaluation.compare import compare_methods
from mclstexp.evaluation.notes import grouped
from mclstexp.evaluation.score_table import Over, usual_over
from mclstexp.evaluation.summary import summarise
from mclstexp.evaluation.tables import latex_table, markdown_table
from mclstexp.io.atomic import restore
from mclstexp.io.guard import reading

SCORES: Final = "scores.parquet"
SUMMARY: Final = "summary.csv"
MARKDOWN: Final = "summary.md"
LATEX: Final = "summary.tex"
COMPARISON: Final = "comparison.csv"
RECORD: Final = "experiment.json"
_KEPT: Final = ("predictions", "logs")
"""What a run leaves in its folder beside parts and plan."""


def write_results(
    scores: pd.DataFrame, folder: Path, *, record: Mapping[str, Any], run_folder: Path | None = None
) -> pd.DataFrame:
    """Write scores, tables (CSV, Markdown, LaTeX), paired comparisons and `record` into a new folder.

    Parameters
    ----------
    scores
        Of `evaluate`.
    folder
        Made here.
    record
        How the scores came about, as plain JSON; its "notes" on "sections" stand beneath the table for people.
    run_folder
        Where the run left predictions and logs; they are copied.

    Returns
    -------
    The summary: means over patients, or over sections where those were held out one by one; ``attrs["over"]`` says
    which. Intervals and tests are over patients wherever several are known.
    """
    summary = summarise_scores(scores)
    over: Over = summary.attrs["over"]
    folder.mkdir()
    scores.to_parquet(folder / SCORES, index=False)
    summary.to_csv(folder / SUMMARY)
    notes = grouped(record.get("notes", []), list(record.get("sections", {})))
    (folder / MARKDOWN).write_text(markdown_table(summary, notes=notes) + "\n", encoding="utf-8")
    (folder / LATEX).write_text(latex_table(summary) + "\n", encoding="utf-8")
    compare_methods(scores, over=over).to_csv(folder / COMPARISON, index=False)
    (folder / RECORD).write_text(json.dumps(record, indent=1, default=str) + "\n", encoding="utf-8")
    for name in _KEPT:
        if run_folder is not None and (run_folder / name).is_dir():
            shutil.copytree(run_folder / name, folder / name)
    return summary


def summarise_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Summarise over patients, or over sections where those were held out one by one; ``attrs["over"]`` says which."""
    over: Over = "section" if set(scores["by"]) == {"section"} else usual_over(scores)
    return summarise(scores, over=over)


def is_same(folder: Path | str, record: Mapping[str, Any]) -> bool:
    """Whether results are there that came about as `record`, or a part of one, says."""
    restore(folder)
    try:
        found = json.loads((Path(folder) / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    plain = json.loads(json.dumps(record, default=str))
    return isinstance(found, dict) and all(name in found and found[name] == plain[name] for name in plain)


def read_results(folder: Path | str) -> pd.DataFrame:
    """Read back the scores.

    Raises
    ------
    InputError
        If there are none or they are damaged.
    """
    restore(folder)
    path = Path(folder) / SCORES
    with reading(path, "scores of an evaluation"):
        return pd.read_parquet(path)
