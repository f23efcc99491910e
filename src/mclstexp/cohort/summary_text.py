"""The summary of a comparison on a cohort as people read it: rows of text, sentences, Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from mclstexp.core.wording import shortened

_INDEX: Final = {"survival": "IBS index", "binary": "Brier index", "continuous": "R²"}
_FEW_PER_PARAMETER: Final = 10
_REASON: Final = 120
SURE: Final = 0.05
"""Holm's p below which a model is told apart from the baseline."""


def summary_rows(summary: pd.DataFrame, record: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return heading and cells of the table; best first, the baseline in its place."""
    kind, baseline = record["cohort"]["kind"], record["experiment"]["baseline"]
    survival = kind == "survival"
    heading = ["model", "C [95 %]", "mean of folds"]
    heading += [f"Uno C({summary['tau'].median():.0f} mo)"] if survival and "tau" in summary else []
    heading += [_INDEX[kind], "slope"]
    heading += [f"Δ to {baseline} [95 %]", "Holm p", "events/par."]
    rows = []
    for name, row in summary.iterrows():
        if row["n_failed"]:
            rows.append([str(name), f"failed in {row['n_failed']:.0f} folds", *[""] * (len(heading) - 2)])
            continue
        cells = [_ranged(row, "c"), f"{row['c_fold_mean']:.3f} ± {row['c_fold_sd']:.3f}"]
        cells += [_number(row["uno_c"])] if len(heading) > 8 else []
        cells += [_number(row["index"]), _number(row["slope"], 2)]
        cells += ["" if name == baseline else _ranged(row, "difference", signed=True), _number(row["holm"])]
        rows.append([str(name), *cells, _number(row["events_per_parameter"], 1)])
    return heading, rows


def brief_rows(summary: pd.DataFrame, record: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return of `summary_rows` what a terminal of 80 columns has room for: how well, and what it adds to the clinic."""
    heading, rows = summary_rows(summary, record)
    kept = [0, 1, next(at for at, name in enumerate(heading) if name.startswith("Δ"))]
    return [heading[at] for at in kept], [[row[at] for at in kept] for row in rows]


def sentences(summary: pd.DataFrame, record: Mapping[str, Any]) -> list[str]:
    """Say what the table shows: what was held out, what adds to the baseline, and what to be wary of."""
    cohort, baseline = record["cohort"], record["experiment"]["baseline"]
    by = sorted({fold["by"] for fold in record["folds"].values()})
    held = {"site": "sites held out", "patient": "patients held out", "given": "folds as given"}
    what = {"survival": "events", "binary": "of the rarer answer", "continuous": "numbers"}[cohort["kind"]]
    where = " and ".join(held[one] for one in by)
    said = [
        f"{cohort['outcome']}: {cohort['n_patients']} patients, {cohort['n_events']} {what}; {where}, "
        f"{len(record['folds'])} folds. C counts pairs within folds; intervals are over test patients and leave out "
        "how another training set would move a model."
    ]
    if baseline in summary.index and summary["p"].notna().any():
        told = summary[summary["p"].notna()]
        sure = told[told["holm"] < SURE]
        better, worse = ([str(n) for n in sure.index[sure["difference"] * sign > 0]] for sign in (1, -1))
        added = ", ".join(better) or "nothing"
        said.append(f"More than {baseline}, after Holm's correction over {len(told)}: {added}.")
        said += [f"Less than {baseline}: {', '.join(worse)}."] if worse else []
    elif baseline not in summary.index:
        said.append(f"There is no {baseline} in this table: what slides or genes add to the clinic cannot be said.")
    per = summary.get("events_per_parameter", pd.Series(dtype=float))
    few = [str(name) for name, ratio in per.items() if ratio < _FEW_PER_PARAMETER]
    if few:
        said.append(f"Fewer than {_FEW_PER_PARAMETER} training events per number learnt: {', '.join(few)}.")
    said += [
        f"{probe['sees'].capitalize()} tell the site of {probe['accuracy']:.0%} of {probe['n_patients']} patients (the "
        f"largest of {probe['n_sites']} sites has {probe['largest_site']:.0%})."
        for probe in record.get("site_probe", [])
    ]
    failures = summary[summary["n_failed"] > 0]
    return said + [f"{name} failed: {shortened(str(row['reason']), _REASON)}" for name, row in failures.iterrows()]


def summary_markdown(summary: pd.DataFrame, record: Mapping[str, Any]) -> str:
    """Return the table in Markdown, with what is worth knowing beneath it."""
    heading, rows = summary_rows(summary, record)
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    notes = "\n".join(f"- {note}" for note in record.get("notes", []))
    return "\n\n".join([table, *sentences(summary, record), *([notes] if notes else [])])


def _ranged(row: pd.Series, name: str, *, signed: bool = False) -> str:
    if pd.isna(row[name]):
        return ""
    sign = "+" if signed else ""
    return f"{row[name]:{sign}.3f} [{row[f'{name}_low']:{sign}.3f}, {row[f'{name}_high']:{sign}.3f}]"


def _number(value: float, digits: int = 3) -> str:
    return "" if pd.isna(value) else f"{value:.{digits}f}"
