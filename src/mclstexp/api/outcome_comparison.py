"""A comparison on a cohort that was run, held against another of its models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pandas as pd

from mclstexp.analysis.pairs import read_record
from mclstexp.cohort.results import read_answers
from mclstexp.cohort.summary import summarise_outcome
from mclstexp.cohort.survival.resampled import N_DRAWS
from mclstexp.core.errors import InputError
from mclstexp.core.options import suggest
from mclstexp.evaluation.results import SCORES
from mclstexp.io.guard import reading


def compare_outcome(
    results: Path | str,
    *,
    baseline: str = "clinical",
    draws: int = N_DRAWS,
    unit: Literal["patient", "site"] = "patient",
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Hold the models of a comparison against one of them, without running any anew.

    Parameters
    ----------
    results
        Folder that ``cohort evaluate`` wrote.
    baseline
        The model that others are held against.
    draws, unit
        How many times test patients, or sites, are drawn anew for intervals.

    Returns
    -------
    The summary, see `cohort.summary.summarise_outcome`, and the record of how the scores came about, which names the
    baseline.

    Raises
    ------
    InputError
        If there are no such results, or no such model in them.
    """
    folder, record = Path(results), read_record(results)
    if record.get("question") != "outcome":
        msg = f"results of a comparison on a cohort expected in {folder}, found others: name what cohort evaluate wrote"
        raise InputError(msg)
    if baseline not in record["methods"]:
        known = suggest(baseline, record["methods"])
        msg = f"a model of these results as baseline expected, found {baseline!r}: {known}"
        raise InputError(msg)
    if draws < 1:
        msg = f"draws of 1 or more expected, found {draws}"
        raise InputError(msg)
    with reading(folder / SCORES, "scores of an evaluation"):
        scores = pd.read_parquet(folder / SCORES)
    said = {**record["experiment"], "baseline": baseline}
    seed = said.get("seed") or 0
    summary = summarise_outcome(scores, read_answers(folder), baseline=baseline, draws=draws, unit=unit, seed=seed)
    return summary, {**record, "experiment": said}
