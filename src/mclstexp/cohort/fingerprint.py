"""Which cohort it is: all of it that scores depend on, in one key."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import pandas as pd

from mclstexp.cohort.feature_files import FileBag
from mclstexp.cohort.table import Cohort
from mclstexp.core import identity
from mclstexp.core.bag import Bag

_END: Final = 65536


def fingerprint(cohort: Cohort) -> str:
    """Return a key of patients, outcomes, sites, covariates, expression and features.

    Files of features are known by name, size, time of change, and their first and last 64 KiB: to read a thousand whole
    slides would take longer than what is made of them.
    """
    patients, outcomes = cohort.patients, cohort.known
    frames = [None if part is None else _frame(part) for part in (patients.pathways, patients.genes)]
    return identity.of(
        "cohort",
        list(patients.ids),
        patients.sites,
        _frame(patients.covariates),
        frames,
        dict(patients.gene_sets),
        None if patients.bags is None else [_bag(bag) for bag in patients.bags],
        [outcomes.kind, outcomes.time, outcomes.event, outcomes.value],
    )


def _frame(frame: pd.DataFrame) -> list[Any]:
    columns = [frame[name] for name in frame]
    values = [
        column.to_numpy() if pd.api.types.is_numeric_dtype(column) else [str(cell) for cell in column]
        for column in columns
    ]
    return [list(map(str, frame.columns)), values]


def _bag(bag: Bag | None) -> Any:
    if bag is None:
        return None
    own = [_file(path) for path in bag.files] if isinstance(bag, FileBag) else list(bag.chunks())
    return [own, [_bag(wider) for wider in bag.coarser]]


def _file(path: Path) -> list[Any]:
    known = path.stat()
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(_END))
        file.seek(max(0, known.st_size - _END))
        digest.update(file.read(_END))
    return [path.name, known.st_size, known.st_mtime_ns, digest.hexdigest()]
