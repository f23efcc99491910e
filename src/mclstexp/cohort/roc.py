"""ROC curves of yes-or-no outcomes, within folds, so that the area under a curve is the table's C."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

COLUMNS: Final = ("method", "false_positive", "true_positive")
Side = Literal["left", "right"]
_SIDES: Final[tuple[Side, ...]] = ("left", "right")
Curve = tuple[np.ndarray, np.ndarray]
"""False and true positive shares."""


def roc_curves(answers: pd.DataFrame) -> pd.DataFrame:
    """Return each model's ROC curve: the mean over folds, each weighing by its pairs of a yes and a no, over repeats.

    Risks of two fits are not on one scale, so no curve is drawn through those of several folds. The area under the mean
    curve is the mean of the folds' areas, which is the share of pairs ranked rightly within folds.

    Parameters
    ----------
    answers
        A row for each model, repeat and patient, as ``predictions.csv`` has them.

    Returns
    -------
    "method", "false_positive", "true_positive", ascending; no row of other outcomes than yes or no.
    """
    tables = []
    yes_or_no = "truth" in answers and bool(np.isin(answers["truth"], (0, 1)).all())
    for method, mine in answers.groupby("method", sort=False) if yes_or_no else ():
        curves = [_within_folds(of) for _, of in mine.groupby("repeat")]
        known = [curve for curve in curves if curve is not None]
        if known:
            false, true = _mean(known, np.ones(len(known)))
            tables.append(pd.DataFrame({"method": method, "false_positive": false, "true_positive": true}))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def roc_curve(truth: Float[np.ndarray, " n_patients"], risk: Float[np.ndarray, " n_patients"]) -> Curve:
    """Return false and true positive shares as the threshold falls from above the highest risk; ties step aslant."""
    order = np.argsort(-risk, kind="stable")
    last = np.append(np.diff(risk[order]) != 0, True)  # of patients with one risk
    true, false = (np.cumsum(truth[order] == side)[last] for side in (1, 0))
    return np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])


def _within_folds(answers: pd.DataFrame) -> Curve | None:
    curves, weights = [], []
    for _, one in answers.groupby("fold", sort=False):
        truth, risk = one["truth"].to_numpy(np.float64), one["risk"].to_numpy(np.float64)
        if pairs := int(truth.sum() * (1 - truth).sum()):
            curves.append(roc_curve(truth, risk))
            weights.append(pairs)
    return _mean(curves, np.array(weights, np.float64)) if curves else None


def _mean(curves: list[Curve], weights: Float[np.ndarray, " n_curves"]) -> Curve:
    """Average curves upwards wherever one of them steps: before the step, and after it."""
    places = np.unique(np.concatenate([false for false, _ in curves]))
    ends = (np.average([_at(*curve, places, side) for curve in curves], axis=0, weights=weights) for side in _SIDES)
    return np.repeat(places, 2), np.column_stack(list(ends)).ravel()


def _at(
    false: Float[np.ndarray, " n"], true: Float[np.ndarray, " n"], places: Float[np.ndarray, " m"], side: Side
) -> Float[np.ndarray, " m"]:
    """Return a curve's height at some places, of a step its foot ("left") or its top ("right")."""
    own = np.searchsorted(false, places, side=side) - (side == "right")
    there = false[np.minimum(own, len(false) - 1)] == places
    return np.where(there, true[np.minimum(own, len(false) - 1)], np.interp(places, false, true))
