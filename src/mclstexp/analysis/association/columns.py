"""Tables as columns of numbers: categories become 0 and 1, what is missing is said or takes its mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mclstexp.core.errors import InputError
from mclstexp.core.wording import shown

_MOST_VALUES = 20


def as_columns(table: Any, *, what: str, fill: bool = False) -> pd.DataFrame:
    """Return a table of finite numbers, with one row for each name.

    Parameters
    ----------
    table
        Numbers; or text and categories, of which each value becomes a column "NAME=VALUE" of 0 and 1, and of two values
        the second alone.
    what
        What it holds, for messages.
    fill
        Whether what is missing takes the mean of its column.

    Raises
    ------
    InputError
        If it is no table or has no row or column, a name comes twice, a number is missing or infinite, or text has too
        many values to be a category.
    """
    if not isinstance(table, pd.DataFrame):
        msg = f"a table (pandas.DataFrame) of {what} expected, found {type(table).__name__}: give its columns names"
        raise InputError(msg)
    if table.empty or not table.index.is_unique or not table.columns.is_unique:
        found = "none" if table.empty else "a name that comes twice"
        msg = f"rows and columns of {what}, each of its own name, expected, found {found}: correct it"
        raise InputError(msg)
    parts = [_numbers(table[name], what=what, fill=fill) for name in table]
    return pd.concat(parts, axis=1)


def _numbers(column: pd.Series, *, what: str, fill: bool) -> pd.DataFrame:
    if pd.api.types.is_numeric_dtype(column):  # True and False too
        values = column.to_numpy(np.float64)
        bad = ~np.isfinite(values) if not fill else np.isinf(values)
        if bad.any() or np.isnan(values).all():
            found = shown(values[bad][0]) if bad.any() else "none"
            msg = f"finite numbers in column {column.name!r} of the {what} expected, found {found}: leave such rows out"
            raise InputError(msg)
        return pd.DataFrame({column.name: np.where(np.isnan(values), np.nanmean(values), values)}, index=column.index)
    kinds = sorted(map(str, column.dropna().unique()))
    if not 2 <= len(kinds) <= _MOST_VALUES or (column.isna().any() and not fill):
        found = "an empty cell" if 2 <= len(kinds) <= _MOST_VALUES else f"{len(kinds)} values"
        msg = (
            f"numbers or 2 to {_MOST_VALUES} categories in {column.name!r} of the {what} expected, found {found}: "
            "leave it out, or such rows"
        )
        raise InputError(msg)
    kept = kinds[1:] if len(kinds) == 2 else kinds
    text = column.astype(str).where(column.notna())
    return pd.DataFrame(
        {
            f"{column.name}={value}": np.where(text.isna(), (text == value).sum() / text.notna().sum(), text == value)
            for value in kept
        },
        index=column.index,
    ).astype(np.float64)
