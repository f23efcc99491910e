"""Patients who are asked for, held against those a model learnt from: other units, other genes, nothing known."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from mclstexp.core.cohort import Patients
from mclstexp.core.learnt_ranges import GENE_SETS, LEVELS, RANGES, gene_set_marks
from mclstexp.core.outcome_model import OutcomeModel

_MANY_OFF: Final = 0.2
"""Share of the values beyond which another scale is asked for."""


def notes_on_patients(patients: Patients, model: OutcomeModel) -> list[str]:
    """Say what of patients to predict is not what a model learnt from: in another unit, of other genes, not known."""
    notes = _unlike_covariates(patients.covariates, model)
    for part, (low, high) in model.provenance_.get(LEVELS, {}).items():
        frame = getattr(patients, part)
        values = np.array([]) if frame is None or part not in model.takes else frame.to_numpy(np.float64)
        values = values[np.isfinite(values)]
        off = (values < low - (high - low)) | (values > high + (high - low))
        if len(values) and off.mean() > _MANY_OFF:
            what = "expression" if part == "genes" else "pathway scores"
            text = f"{off.mean():.0%} of {what} lie far from what the model learnt from ({low:.3g} to {high:.3g}), as"
            notes.append(f"{text} {values[off][0]:.3g}: are they on another scale, as counts and logarithms are?")
    if "pathways" in model.takes and (known := model.provenance_.get(GENE_SETS)):
        marks = gene_set_marks(patients)
        if other := [name for name, mark in known.items() if marks.get(name, mark) != mark]:
            text = f"{len(other)} of {len(known)} pathways are scored by other genes than the model learnt from"
            notes.append(f"{text} ({', '.join(other[:3])}): give the same gene sets and genes")
    return notes


def _unlike_covariates(covariates: pd.DataFrame, model: OutcomeModel) -> list[str]:
    notes = []
    for name, (low, high) in model.provenance_.get(RANGES, {}).items():
        column = covariates[name].dropna() if name in covariates else pd.Series(dtype=float)
        if name in covariates and "covariates" in model.takes and column.empty:
            notes.append(f"covariate {name!r} is not known of any patient: the model takes the training mean")
        if not pd.api.types.is_numeric_dtype(column):
            continue
        off = (column < low - (high - low)) | (column > high + (high - low))
        if off.any():
            text = f"covariate {name!r} lies far from what the model learnt from ({low:g} to {high:g}) for {off.sum()}"
            notes.append(f"{text} of {len(covariates)} patients, as {column[off].iloc[0]:g}: is it in another unit?")
    return notes
