"""Tables of people: traits and covariates, brought into the order of the genotypes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mclstexp.core.errors import InputError


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
    try:
        found = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    except (OSError, ValueError, EOFError) as error:
        msg = f"a tab-separated table at {path} expected, found what cannot be read ({error}): check the file"
        raise InputError(msg[:300]) from error
    if found.shape[1] < 2:
        msg = f"a column of people and one of numbers expected in {path}, found {found.shape[1]}: part them by tabs"
        raise InputError(msg)
    found = found.set_index(found.columns[0])
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
    names = [person for person, kept in zip(people, known, strict=True) if kept]
    return np.flatnonzero(known), [table.loc[names] for table in tables]


def read_names(path: Path | str) -> list[str]:
    """Read names, one a line.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"names, one a line, expected at {path}, found what cannot be read ({error}): check the file"
        raise InputError(msg) from error
    return [line.strip() for line in lines if line.strip()]
