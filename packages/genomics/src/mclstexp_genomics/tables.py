"""Tables of people: traits and covariates, brought into the order of the genotypes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from mclstexp.core.errors import InputError
from mclstexp.io.guard import reading

_PERSON: Final = ("IID", "SID", "PERSON", "INDIVIDUAL")
_MISSING: Final = -9


def read_people(path: Path | str) -> pd.DataFrame:
    """Read numbers of people.

    Parameters
    ----------
    path
        Tab-separated text (.tsv, also .tsv.gz): a first column of names of people, then numbers; empty or NA where a
        number is not known.

    Raises
    ------
    InputError
        If it cannot be read, a person occurs twice, or a column holds something else.
    """
    path = Path(path)
    with reading(path, "a tab-separated table of people"):
        names, *rows = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, header=None).to_numpy().tolist()
    if len(names) < 2:
        msg = f"a column of people and one of numbers expected in {path}, found {len(names)}: part them by tabs"
        raise InputError(msg)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"each column of {path} once expected, found {twice} twice: rename or drop one"
        raise InputError(msg)
    if names[1].upper() in _PERSON:  # the name of a family before that of a person would make a trait of the latter
        msg = f"one column of people expected in {path}, found {names[0]} and {names[1]}: drop one, or join them by _"
        raise InputError(msg)
    found = pd.DataFrame(rows, columns=names, dtype=object).set_index(names[0])
    if not found.index.is_unique:
        msg = f"each person once expected in {path}, found {found.index[found.index.duplicated()][0]} twice: keep one"
        raise InputError(msg)
    unknown = found.apply(lambda column: column.str.strip().str.upper().isin(["", "NA", "NAN"]))
    numbers = found.mask(unknown, "nan").apply(pd.to_numeric, errors="coerce")
    wrong = ~np.isfinite(numbers) & ~unknown
    if wrong.any(axis=None):
        column = wrong.any().idxmax()
        word = found.loc[wrong[column].idxmax(), column]
        msg = f"numbers expected in column {column} of {path}, found {word!r}: mend it or write NA"
        raise InputError(msg)
    missing = (numbers == _MISSING).any() & ((numbers < 0) == (numbers == _MISSING)).all()
    if missing.any():
        msg = (
            f"NA where a number is not known expected in {path}, found {_MISSING} as the only number below 0 of column "
            f"{missing.idxmax()}, which PLINK writes for it: write NA"
        )
        raise InputError(msg)
    return numbers.astype(np.float64)


def in_order(people: Sequence[str], *tables: pd.DataFrame) -> tuple[np.ndarray, list[pd.DataFrame]]:
    """Return which people every table knows all numbers of, and the tables' rows of these in that order.

    Raises
    ------
    InputError
        If nobody is in all.
    """
    known = np.ones(len(people), bool)
    for table in tables:
        known &= np.isin(np.asarray(people), table.index[table.notna().all(axis=1)])
    if not known.any():
        msg = f"people of the genotypes in every table expected, found none of {len(people)}: check their names"
        raise InputError(msg)
    if not known.all():
        text = f"{(~known).sum()} of {len(known)} people of the genotypes are not in every table with all numbers known"
        warnings.warn(f"{text}: left out", stacklevel=2)
    names = [person for person, kept in zip(people, known, strict=True) if kept]
    return np.flatnonzero(known), [table.loc[names] for table in tables]


def read_names(path: Path | str) -> list[str]:
    """Read names, one a line.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    with reading(path, "names, one a line"):
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()  # a mark before the first hides that one
    return [line.strip() for line in lines if line.strip()]
