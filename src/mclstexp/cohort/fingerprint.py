"""Which cohort it is: all of it that scores depend on, in one key."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mclstexp.cohort.bag_identity import known_by
from mclstexp.cohort.table import Cohort
from mclstexp.core import identity


def fingerprint(cohort: Cohort) -> str:
    """Return a key of patients, outcomes, sites, covariates, expression and features."""
    patients, outcomes = cohort.patients, cohort.known
    frames = [None if part is None else _frame(part) for part in (patients.pathways, patients.genes)]
    return identity.of(
        "cohort",
        list(patients.ids),
        patients.sites,
        _frame(patients.covariates),
        frames,
        dict(patients.gene_sets),
        None if patients.bags is None else [known_by(bag) for bag in patients.bags],
        [outcomes.kind, outcomes.time, outcomes.event, outcomes.value],
    )


def _frame(frame: pd.DataFrame) -> list[Any]:
    columns = [frame[name] for name in frame]
    values = [
        column.to_numpy() if pd.api.types.is_numeric_dtype(column) else [str(cell) for cell in column]
        for column in columns
    ]
    return [list(map(str, frame.columns)), values]
