"""A cohort's table as text: a row for each patient or slide, every cell as it is written."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from mclstexp.core.errors import InputError
from mclstexp.core.options import suggest
from mclstexp.core.wording import shown
from mclstexp.io.guard import reading
from mclstexp.io.tables import read_text, require_separator

_WHAT: Final = "a table of patients (.csv, .tsv or .parquet)"
_MARKS: Final = {".csv": ",", ".tsv": "\t"}
_UNKNOWN: Final = frozenset(
    ("", "na", "n/a", "nan", "none", "null", "<na>", ".", "-", "--", "'--", "unknown", "not available", "not reported")
)
"""What says that nobody knows; also in square brackets."""


def read_rows(path: Path | str) -> pd.DataFrame:
    """Read a table of patients.

    Returns
    -------
    Columns of text, "" where nothing is known; the index is the line of the file (the header is line 1), or the row of
    a parquet file.

    Raises
    ------
    InputError
        If the file is absent, damaged or of another kind, a column has no name or that of another, or there is no row.
    """
    path = Path(path)
    kind = Path(path.name.lower().removesuffix(".gz")).suffix
    if kind == ".parquet":
        rows = _read_parquet(path)
    elif kind in _MARKS:
        rows = _read_separated(path, _MARKS[kind])
    else:
        msg = f"{_WHAT} expected, found {path}: save it as one of these"
        raise InputError(msg)
    if rows.empty:
        msg = f"{_WHAT} expected in {path}, found no row: check the file"
        raise InputError(msg)
    return rows.apply(lambda column: column.map(_plain))


def require_column(rows: pd.DataFrame, column: str, *, what: str, path: Path | str) -> None:
    """Refuse a table without a column.

    Raises
    ------
    InputError
        If it is not there; the message names the nearest.
    """
    if column not in rows:
        msg = f"a column {column!r} ({what}) expected in {path}, found none: {suggest(column, rows.columns)}"
        raise InputError(msg)


def _read_separated(path: Path, mark: str) -> pd.DataFrame:
    require_separator(path, mark, what=_WHAT)
    with reading(path, _WHAT):
        reader = csv.reader(io.StringIO(read_text(path), newline=None), delimiter=mark, strict=True)
        numbered = ((reader.line_num, cells) for cells in reader)
        lines = {number: cells for number, cells in numbered if any(cell.strip() for cell in cells)}
    header, *found = lines.values() or [[]]
    names = _named(header, path=path)
    for number, cells in lines.items():
        if len(cells) != len(names):
            msg = f"{len(names)} cells in each row of {path} expected, found {len(cells)} in row {number}: correct it"
            raise InputError(msg)
    return pd.DataFrame(found, columns=names, index=list(lines)[1:], dtype=object)


def _read_parquet(path: Path) -> pd.DataFrame:
    with reading(path, _WHAT):
        table = pq.ParquetFile(path).read().to_pandas(ignore_metadata=True)
    rows = table.set_axis(_named([str(name) for name in table.columns], path=path), axis=1)
    rows.index = pd.RangeIndex(1, len(rows) + 1)
    return rows.apply(lambda column: column.map(_written))


def _named(names: list[str], *, path: Path) -> list[str]:
    names = [name.strip() for name in names]
    if "" in names:
        msg = f"a name over each column of {path} expected, found none over column {names.index('') + 1}: add it"
        raise InputError(msg)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"each column of {path} once expected, found {twice!r} twice: rename or drop one"
        raise InputError(msg)
    return names


def _written(value: object) -> str:
    """Write a cell of a parquet file as a table of text would have it."""
    if value is None or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else str(int(value)) if float(value).is_integer() else repr(float(value))
    if isinstance(value, str | int | np.integer):
        return str(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    msg = f"numbers or text expected in the cells of a table of patients, found {shown(value)}: write it as text"
    raise InputError(msg)


def _plain(cell: str) -> str:
    text = " ".join(cell.split())
    return "" if text.lower().strip("[]").strip() in _UNKNOWN else text
