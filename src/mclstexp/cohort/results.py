"""Results of a comparison on a cohort: scores, what was said of each patient, tables, and how they came about."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from mclstexp.cohort.explained import Explained, prototype_tables
from mclstexp.cohort.prototype_tiles import located
from mclstexp.cohort.risk_groups import risk_group_curves
from mclstexp.cohort.roc import roc_curves
from mclstexp.cohort.site_probe import probe_sites
from mclstexp.cohort.summary import outcomes_of, summarise_outcome
from mclstexp.cohort.summary_text import summary_markdown
from mclstexp.cohort.survival.calibration import calibration_groups, calibration_of_yes
from mclstexp.cohort.table import Cohort
from mclstexp.evaluation.results import MARKDOWN, RECORD, SCORES, SUMMARY
from mclstexp.io.atomic import restore
from mclstexp.io.guard import reading

ANSWERS: Final = "predictions.csv"
FOLDS: Final = "folds.csv"
CALIBRATION: Final = "calibration.csv"
RISK_GROUPS: Final = "risk_groups.csv"
ROC: Final = "roc.csv"
EXPLAINED: Final = {"prototypes": "prototypes.csv", "products": "products.csv", "tiles": "prototype_tiles.csv"}
"""Of models with prototypes, see `prototype_tables`."""
SITE_PROBE: Final = "site_probe.csv"
_LOGS: Final = "logs"


def write_outcome_results(
    scores: pd.DataFrame,
    answers: pd.DataFrame,
    folder: Path,
    *,
    record: Mapping[str, Any],
    run_folder: Path,
    how: Mapping[str, Any],
    cohort: Cohort,
) -> pd.DataFrame:
    """Write results into a new folder.

    Parameters
    ----------
    scores
        Tidy scores of each fold.
    answers
        A row for each model, repeat and patient.
    folder
        Made here: scores.parquet, summary.csv, summary.md, predictions.csv (what was said of each patient, and what
        came), folds.csv, calibration.csv, risk_groups.csv or roc.csv, site_probe.csv and experiment.json.
    record
        How the scores came about, as plain JSON; its "notes" stand beneath the table for people.
    run_folder
        Where the run left logs.
    how
        Arguments of `summarise_outcome`.
    cohort
        The patients, for the site probe.

    Returns
    -------
    The summary, see `summarise_outcome`; ``attrs["sentences"]`` say what stands beneath it.
    """
    summary = summarise_outcome(scores, answers, **how)
    probe = probe_sites(cohort.patients, seed=how["seed"])
    folder.mkdir()
    scores.to_parquet(folder / SCORES, index=False)
    summary.to_csv(folder / SUMMARY)
    answers.to_csv(folder / ANSWERS, index=False)
    _folds(record).to_csv(folder / FOLDS, index=False)
    tables = {CALIBRATION: calibration_table, RISK_GROUPS: risk_group_curves, ROC: roc_curves}
    for name, table_of in tables.items():
        if len(table := table_of(answers)) or name == CALIBRATION:
            table.to_csv(folder / name, index=False)
    if len(probe):
        probe.to_csv(folder / SITE_PROBE, index=False)
    told = {**record, "site_probe": probe.to_dict("records")}
    (folder / MARKDOWN).write_text(summary_markdown(summary, told) + "\n", encoding="utf-8")
    (folder / RECORD).write_text(json.dumps(told, indent=1, default=str) + "\n", encoding="utf-8")
    if (run_folder / _LOGS).is_dir():
        shutil.copytree(run_folder / _LOGS, folder / _LOGS)
    return summary


def write_explained(explained: Sequence[Explained], folder: Path, *, cohort: Cohort) -> None:
    """Write what models with prototypes learnt of them, see `prototype_tables`, into a folder of results.

    Parameters
    ----------
    explained
        What each showed after each fold.
    folder
        Gets prototypes.csv, products.csv of models with pathways, and prototype_tiles.csv.
    cohort
        The patients, for the places of tiles.
    """
    for name, table in prototype_tables(explained).items():
        whole = located(table, cohort) if name == "tiles" else table
        whole.to_csv(folder / EXPLAINED[name], index=False)


def read_summary(folder: Path | str) -> pd.DataFrame:
    """Read back the summary of a comparison on a cohort.

    Raises
    ------
    InputError
        If there is none or it is damaged.
    """
    restore(folder)
    path = Path(folder) / SUMMARY
    with reading(path, "the summary of an evaluation"):
        table = pd.read_csv(path, index_col="method", keep_default_na=True)
        return table.assign(reason=table["reason"].fillna(""))


def read_answers(folder: Path | str) -> pd.DataFrame:
    """Read back what was said of each patient, and what came.

    Raises
    ------
    InputError
        If it is not there or damaged.
    """
    restore(folder)
    path = Path(folder) / ANSWERS
    with reading(path, "predictions of an evaluation on a cohort"):
        return pd.read_csv(path, dtype={"patient": str, "site": str, "fold": str, "method": str})


def read_table(folder: Path | str, name: str) -> pd.DataFrame:
    """Read back one of the tables that a comparison may have, such as `RISK_GROUPS`; an empty one where it has not.

    Raises
    ------
    InputError
        If it is damaged.
    """
    path = Path(folder) / name
    if not path.is_file():
        return pd.DataFrame()
    with reading(path, "a table of an evaluation on a cohort"):
        texts = ("method", "group", "fold", "patient", "prototype", "kind", "pathway")
        return pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=True)


def calibration_table(answers: pd.DataFrame) -> pd.DataFrame:
    """Hold what was foretold against what came, in quintiles of each model (first repeat).

    Of survival at each horizon, against Kaplan-Meier's; of yes or no the probability against the share of yes.
    """
    tables = []
    for label, mine in answers[answers["repeat"] == answers["repeat"].min()].groupby("method", sort=False):
        known = outcomes_of(mine)
        if known.kind == "binary" and known.value is not None:
            tables.append(calibration_of_yes(known.value, mine["value"]).assign(method=label, months=np.nan))
        for column in [name for name in mine if str(name).startswith("survival_")]:
            months = float(str(column).removeprefix("survival_"))
            if known.time is not None and known.event is not None and mine[column].notna().all():
                groups = calibration_groups(known.time, known.event, mine[column], at=months)
                tables.append(groups.assign(method=label, months=months))
    numbered = [table.assign(group=range(1, len(table) + 1)) for table in tables]
    return pd.concat(numbered, ignore_index=True) if tables else pd.DataFrame(columns=["method", "months", "group"])


def _folds(record: Mapping[str, Any]) -> pd.DataFrame:
    rows = [
        {"patient": name, "repeat": fold["repeat"], "fold": label, "by": fold["by"]}
        for label, fold in record["folds"].items()
        for name in fold["test"]
    ]
    return pd.DataFrame(rows)
