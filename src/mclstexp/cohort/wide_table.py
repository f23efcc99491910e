"""Wide tables of numbers, a row for each patient: expression, pathway scores."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from mclstexp.cohort.cells import numbers
from mclstexp.cohort.rows import read_rows
from mclstexp.core.errors import InputError
from mclstexp.io.guard import reading

_WHAT: Final = "a table of numbers with a row for each patient (.csv, .tsv or .parquet)"


def of_patients(path: Path | str, ids: tuple[str, ...], *, what: str, column: str, notes: list[str]) -> pd.DataFrame:
    """Read a table of numbers, its rows in the patients' order.

    Parameters
    ----------
    path
        The table; the patients' names stand in `column`, or in the first column of text.
    ids
        The patients.
    what
        What it holds, for messages.
    column
        What the column of the patients' names is called.
    notes
        Takes a sentence on patients who are not in it; their rows are NaN.

    Raises
    ------
    InputError
        If it cannot be read, names a patient twice, has none of the patients, or holds something else than numbers.
    """
    wide = _read(Path(path), column)
    if not wide.index.is_unique:
        twice = wide.index[wide.index.duplicated()][0]
        msg = f"{what} of each patient once expected in {path}, found {twice!r} twice: average or drop rows"
        raise InputError(msg)
    n_lacking = len(set(ids) - set(wide.index))
    if n_lacking == len(ids):
        msg = f"{what} of the patients expected in {path}, found other names, as {wide.index[0]!r}: name them alike"
        raise InputError(msg)
    if n_lacking:
        notes.append(f"{n_lacking} of {len(ids)} patients have no {what}")
    return wide.reindex(list(ids))


def _read(path: Path, column: str) -> pd.DataFrame:
    if path.suffix.lower() == ".parquet":  # as numbers: thousands of columns
        with reading(path, _WHAT):
            rows = pq.ParquetFile(path).read().to_pandas(ignore_metadata=True)
    else:
        rows = read_rows(path)
    if not rows.columns.is_unique:
        msg = (
            f"each column of {path} once expected, found {rows.columns[rows.columns.duplicated()][0]!r} twice: drop one"
        )
        raise InputError(msg)
    text = [str(name) for name in rows if not pd.api.types.is_numeric_dtype(rows[name])]
    if column not in rows and not text:
        msg = f"a column {column!r} with the patients' names expected in {path}, found none: add it"
        raise InputError(msg)
    name = column if column in rows else text[0]
    values = rows.drop(columns=name)
    if path.suffix.lower() != ".parquet":
        values = pd.DataFrame({one: numbers(values[one], path=path).to_numpy(np.float64) for one in values})
    elif wrong := [one for one in text if one != name]:
        msg = f"numbers expected in column {wrong[0]!r} of {path}, found text: leave that column out"
        raise InputError(msg)
    index = pd.Index([str(one).strip() for one in rows[name]], dtype=object)
    return values.astype(np.float64).set_axis(index)
