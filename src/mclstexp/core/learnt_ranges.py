"""What a model of patients remembers of how those it learnt from looked, to be held against who is asked for."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np
import pandas as pd

from mclstexp.core.cohort import Patients

RANGES: Final = "ranges"
"""Entry of a model's provenance: lowest and highest value of each covariate that is a number."""
LEVELS: Final = "levels"
"""Entry of a model's provenance: lowest and highest value of all expression, and of all scores of pathways."""
GENE_SETS: Final = "gene_sets"
"""Entry of a model's provenance: a mark of the genes that each score of a pathway was made of."""


def learnt_ranges(patients: Patients) -> dict[str, Any]:
    """Return the entries of a model's provenance that this module names, of its training patients."""
    scored = bool(patients.gene_sets) and patients.pathways is not None
    return {
        RANGES: _ranges(patients.covariates),
        LEVELS: _levels(patients),
        **({GENE_SETS: gene_set_marks(patients)} if scored else {}),
    }


def _ranges(covariates: pd.DataFrame) -> dict[str, list[float]]:
    known = {str(name): column.dropna() for name, column in covariates.items()}
    return {
        name: [float(column.min()), float(column.max())]
        for name, column in known.items()
        if len(column) and pd.api.types.is_numeric_dtype(column)
    }


def _levels(patients: Patients) -> dict[str, list[float]]:
    found = {}
    for part in ("genes", "pathways"):
        values = None if (frame := getattr(patients, part)) is None else frame.to_numpy(np.float64)
        if values is not None and np.isfinite(values).any():
            found[part] = [float(np.nanmin(values)), float(np.nanmax(values))]
    return found


def gene_set_marks(patients: Patients) -> dict[str, str]:
    """Return a mark of the genes of each set: equal where they are the same."""
    return {
        name: hashlib.sha256("\n".join(sorted(genes)).encode()).hexdigest()[:12]
        for name, genes in patients.gene_sets.items()
    }
