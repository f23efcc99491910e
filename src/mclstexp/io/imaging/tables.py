"""Large tables of cells, read a part at a time: nearly all counts are zero."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.section import as_counts
from mclstexp.io.bounds import check_gzip
from mclstexp.io.guard import reading
from mclstexp.io.tables import require_separator
from mclstexp.io.tenx_positions import unique_barcodes
from mclstexp.io.unasked import counts_are_asked, without_counts

_ROWS: Final = 5_000


def read_counts(path: Path, *, names: Sequence[str]) -> AnnData:
    """Read a table of counts (.csv), a cell in each row.

    Parameters
    ----------
    path
        Plain or gzipped.
    names
        Columns that together name a cell; what else is a gene. Empty: the first column names it.

    Raises
    ------
    InputError
        If it is no such table, a cell occurs twice, or a value is no raw count.
    """
    what = "a table of counts (cells by genes, separated by commas)"
    require_separator(path, ",", what=what, columns=3)
    with reading(path, what):
        check_gzip(path)
        parts, cells, genes = [], list[str](), None
        with pd.read_csv(path, chunksize=_ROWS) as rows:
            for part in rows:
                own = list(names) or [part.columns[0]]
                cells += _named(part, own)
                if not counts_are_asked():
                    continue
                values = part.drop(columns=[*own, *_UNNAMED.intersection(part.columns)])
                genes = pd.Index(values.columns.astype(str), dtype=object)
                parts.append(as_counts(sparse.csr_matrix(values.to_numpy(np.float64)), where=path.name))
        index = unique_barcodes(np.array(cells, object), path)
    if not counts_are_asked() or genes is None:
        return without_counts(index)
    return AnnData(sparse.vstack(parts, format="csr"), obs=pd.DataFrame(index=index), var=pd.DataFrame(index=genes))


def read_places(
    path: Path, *, names: Sequence[str], columns: Sequence[str], optional: Sequence[str] = ()
) -> pd.DataFrame:
    """Read where cells lie: `columns` of numbers, and of `optional` those that are there, by the cells' names."""
    what = f"a table of cells ({', '.join([*names, *columns])})"
    require_separator(path, ",", what=what, columns=3)
    with reading(path, what):
        check_gzip(path)
        table = pd.read_csv(path)
        index = unique_barcodes(np.array(_named(table, list(names) or [table.columns[0]]), object), path)
        found = table[[*columns, *(name for name in optional if name in table)]].astype(np.float64)
    return found.set_index(index)


def require_all(cells: pd.Index, places: pd.Index, *, where: str) -> None:
    """Refuse counts of cells that have no place.

    Raises
    ------
    InputError
        If there are any.
    """
    lost = cells[~cells.isin(places)]
    if len(lost):
        msg = (
            f"{where}: a place for every cell with counts expected, found none for {len(lost)} of {len(cells)} (first "
            f"{lost[0]!r}): use the files of one run"
        )
        raise InputError(msg)


_UNNAMED: Final = frozenset({"cell", "Unnamed: 0"})
"""Columns beside the genes in some exports."""


def _named(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    parts = [[_text(value) for value in table[column]] for column in columns]
    return ["_".join(part) for part in zip(*parts, strict=True)]


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)
