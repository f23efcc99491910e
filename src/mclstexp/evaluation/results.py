"""Results on disk: every score, the table of methods, and the whole of how they came about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd

from mclstexp.evaluation.harness import summarise
from mclstexp.io.atomic import atomic_path
from mclstexp.io.guard import reading

SCORES: Final = "scores.parquet"
SUMMARY: Final = "summary.csv"
TABLE: Final = "summary.md"
RECORD: Final = "experiment.json"
_SHOWN: Final = ("mse", "mae", "r2", "n_sections")


def write_results(scores: pd.DataFrame, folder: Path | str, *, record: Mapping[str, Any]) -> pd.DataFrame:
    """Write a table of `evaluate`, its summary (CSV and Markdown) and `record`; all of them or nothing.

    Returns
    -------
    The summary: over patients, or over sections where those were held out one by one; ``attrs["over"]`` says which.

    Raises
    ------
    InputError
        If the folder cannot be written to.
    """
    over: Literal["patient", "section"] = "section" if set(scores["by"]) == {"section"} else "patient"
    summary = summarise(scores, over=over)
    summary.attrs["over"] = over
    with atomic_path(Path(folder)) as path:
        path.mkdir()
        scores.to_parquet(path / SCORES, index=False)
        summary.to_csv(path / SUMMARY)
        (path / TABLE).write_text(summary_markdown(summary), encoding="utf-8")
        (path / RECORD).write_text(json.dumps(record, indent=1, default=str) + "\n", encoding="utf-8")
    return summary


def read_results(folder: Path | str) -> pd.DataFrame:
    """Read back the scores.

    Raises
    ------
    InputError
        If there are none or they are damaged.
    """
    path = Path(folder) / SCORES
    with reading(path, "scores of an evaluation"):
        return pd.read_parquet(path)


def summary_rows(summary: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return headings and cells of a summary as people read it: mean ± standard deviation."""
    correlations = [name for name in map(str, summary) if name.startswith("pcc") and not name.endswith("_sd")]
    columns = [*correlations, *_SHOWN, *(["failed"] if summary["failed"].any() else [])]
    rows = []
    for method, row in summary.iterrows():
        cells = [str(method)]
        for name in columns:
            value = row[name]
            if isinstance(value, str) or name.startswith("n_"):
                cells.append(str(value))
            elif pd.isna(value):
                cells.append("-")
            else:
                spread = row.get(f"{name}_sd")
                cells.append(f"{value:.3f}" + (f" ± {spread:.3f}" if pd.notna(spread) else ""))
        rows.append(cells)
    return ["method", *columns], rows


def summary_markdown(summary: pd.DataFrame) -> str:
    """Return a summary as a Markdown table with a sentence on what was held out."""
    heading, rows = summary_rows(summary)
    lines: list[list[str]] = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"{table}\n\n{held_out(summary)}.\n"


def held_out(summary: pd.DataFrame) -> str:
    """Say what was held out and what the averages are over."""
    return f"Held out by {summary.attrs['by']}; mean ± standard deviation over {summary.attrs['over']}s"
