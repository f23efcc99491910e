"""Risk groups of an evaluation: their Kaplan-Meier curves, and whether they part."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from mclstexp.cohort.survival.kaplan_meier import kaplan_meier
from mclstexp.cohort.survival.log_rank import log_rank

COLUMNS: Final = ("method", "group", "months", "at_risk", "events", "survival", "low", "high")
_TIME: Final = "time_months"


def risk_group_curves(answers: pd.DataFrame) -> pd.DataFrame:
    """Return Kaplan-Meier's curve of each risk group of each model.

    Each patient is in the group that a model put it in which was not fitted on it, at the median of that fit's
    training patients; folds are put together, of the first repeat. Risks of two fits are not on one scale: groups are.

    Parameters
    ----------
    answers
        A row for each model, repeat and patient, as ``predictions.csv`` has them.

    Returns
    -------
    A row for each time at which anybody's follow-up ended, and one for 0: "method", "group" ("high" or "low"),
    "months", "at_risk", "events", "survival" and its 95 % limits "low" and "high". No row of other outcomes than
    survival.
    """
    tables = []
    for (method, group), mine in _first(answers).groupby(["method", "group"], sort=False):
        if _TIME not in mine:
            continue
        km = kaplan_meier(mine[_TIME], mine["event"])
        start = {"months": 0.0, "at_risk": len(mine), "events": 0, "survival": 1.0, "low": 1.0, "high": 1.0}
        curve = pd.DataFrame(
            {
                "months": km.table.times,
                "at_risk": km.table.at_risk.astype(int),
                "events": km.table.events.astype(int),
                "survival": km.survival,
                "low": km.low,
                "high": km.high,
            }
        )
        curve = pd.concat([pd.DataFrame([start]), curve], ignore_index=True)
        tables.append(curve.assign(method=str(method), group=str(group)))
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)] if tables else pd.DataFrame(columns=list(COLUMNS))


def parted(answers: pd.DataFrame) -> dict[str, float]:
    """Return whether the risk groups of one model part: "log_rank" (chi squared), "log_rank_p", "hazard_ratio".

    Patients are compared within folds (first repeat); the ratio is that of observed over expected events of the two.
    NaN where all are in one group, or of other outcomes than survival.
    """
    first = _first(answers)
    nothing = dict.fromkeys(("log_rank", "log_rank_p", "hazard_ratio"), np.nan)
    if _TIME not in first or first["group"].nunique() < 2 or not first["event"].any():
        return nothing
    found = log_rank(first[_TIME], first["event"], first["group"], strata=first["fold"])
    high, low = (o / e if e > 0 else np.nan for o, e in zip(found.observed, found.expected, strict=True))
    ratio = high / low if low > 0 else np.nan
    return {"log_rank": found.statistic, "log_rank_p": found.p, "hazard_ratio": ratio}


def _first(answers: pd.DataFrame) -> pd.DataFrame:
    return answers[answers["repeat"] == answers["repeat"].min()]
