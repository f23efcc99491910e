"""Columns of a cohort's table: numbers, categories, stages, and what is refused in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from mclstexp.core.errors import InputError
from mclstexp.core.wording import shown

_MOSTLY: Final = 0.5
_MOST_KINDS: Final = 20
_YES: Final = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
_STAGE: Final = re.compile(r"(?:stage)?\s*(iv|i{1,3}|[1-4])\s*(?:[a-d][0-9]?)?", re.IGNORECASE)
_GRADE: Final = re.compile(r"(?:grade)?\s*g?([1-4])", re.IGNORECASE)
_ORDERED: Final = {"stage": _STAGE, "grade": _GRADE}
_ROMAN: Final = {"i": 1.0, "ii": 2.0, "iii": 3.0, "iv": 4.0}
_NOT_SEEN: Final = frozenset(("gx", "stage x", "x"))


def numbers(column: pd.Series, *, path: Path | str) -> pd.Series:
    """Read a column of numbers; an empty cell is NaN.

    Raises
    ------
    InputError
        If a cell holds something else, or an infinite number; the message names its line.
    """
    values = pd.to_numeric(column, errors="coerce").astype(np.float64)
    wrong = (values.isna() & (column != "")) | np.isinf(values)
    if wrong.any():
        line = column.index[wrong][0]
        msg = (
            f"numbers expected in column {column.name!r} of {path}, found {shown(column[line], 30)} in row {line}: "
            "correct it, or leave the cell empty where it is not known"
        )
        raise InputError(msg)
    return values


def yes_or_no(column: pd.Series, *, path: Path | str) -> pd.Series:
    """Read a column of 1 and 0 (also true and false, yes and no); an empty cell is NaN.

    Raises
    ------
    InputError
        If a cell holds something else; the message names its line.
    """
    said = column.str.lower().map(_YES)
    values = said.where(said.notna(), pd.to_numeric(column, errors="coerce")).astype(np.float64)
    wrong = ~values.isin((0, 1)) & (column != "")
    if wrong.any():
        line = column.index[wrong][0]
        msg = (
            f"1 (it came) or 0 expected in column {column.name!r} of {path}, found {shown(column[line], 30)} in row "
            f"{line}: write 1 or 0"
        )
        raise InputError(msg)
    return values


def covariate(column: pd.Series, *, path: Path | str) -> pd.Series:
    """Read a column of what the clinic knows: numbers, or categories as text; None or NaN where it is not known.

    Stages written as "Stage IIIA", "iv" or "2", and grades written as "G3", become 1 to 4, whose order a model then
    knows.

    Raises
    ------
    InputError
        If numbers and text are mixed, or there are so many categories that they must be names.
    """
    known = column[column != ""]
    for what, pattern in _ORDERED.items():
        if what in str(column.name).lower():
            seen = known[~known.str.lower().isin(_NOT_SEEN)]
            ordered = seen.map(lambda cell, pattern=pattern: _number_in(cell, pattern))
            if len(seen) and ordered.notna().all():
                return ordered.reindex(column.index).astype(np.float64)
    is_number = pd.to_numeric(known, errors="coerce").notna()
    if not len(known) or is_number.mean() > _MOSTLY:
        return numbers(column, path=path)
    if is_number.any():
        line = known.index[is_number][0]
        msg = (
            f"either numbers or categories expected in column {column.name!r} of {path}, found {shown(known[line], 30)}"
            f" in row {line} among text: write them alike"
        )
        raise InputError(msg)
    if known.nunique() > _MOST_KINDS:
        msg = (
            f"at most {_MOST_KINDS} categories expected in column {column.name!r} of {path}, found {known.nunique()}: "
            "leave it out of the covariates, or join categories"
        )
        raise InputError(msg)
    return column.astype(object).where(column != "", None)


def _number_in(cell: str, pattern: re.Pattern[str]) -> float | None:
    found = pattern.fullmatch(cell)
    if found is None:
        return None
    said = found[1].lower()
    return _ROMAN.get(said) or float(said)
