"""Tables separated by tabs, plain or gzipped, as legacy Spatial Transcriptomics data are published."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO, cast

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.core.errors import InputError
from mclstexp.core.section import as_counts
from mclstexp.core.wording import shown
from mclstexp.io.bounds import check_gzip
from mclstexp.io.guard import reading

_MARKS: Final = {",": "commas", ";": "semicolons", "\t": "tabs"}
_ENCODING: Final = "utf-8-sig"  # spreadsheets write a byte order mark


def read_text(path: Path) -> str:
    """Read a text file, plain or gzipped, with or without a byte order mark."""
    check_gzip(path)
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix.lower() == ".gz" else content).decode(_ENCODING)


def require_separator(path: Path, mark: str, *, what: str, columns: int = 2) -> None:
    """Refuse a table whose first line is not separated by `mark`, before one column is made of it.

    Parameters
    ----------
    path
        The table, plain or gzipped.
    mark
        A comma or a tab.
    what
        What it should be, for messages.
    columns
        How many it has at least.

    Raises
    ------
    InputError
        If another mark separates the columns, or it is a pointer of git-lfs or no table.
    """
    with reading(path, what):
        check_gzip(path)
        with _opened(path) as file:
            first = next((line for line in file if line.strip()), "").strip("\r\n")
    counted = {name: first.count(sign) for sign, name in _MARKS.items() if sign != mark}
    other = max(counted, key=lambda name: counted[name])
    if not first or first.count(mark) >= max(1, counted[other]):
        return
    if first.startswith("version https://git-lfs"):
        found, advice = "a pointer of git-lfs", "fetch the file itself with git lfs pull"
    elif counted[other] >= columns - 1:
        found, advice = f"columns separated by {other}", f"save it with {_MARKS[mark]}"
    else:
        found, advice = f"{shown(first, 40)} as its first line", "fetch it again"
    msg = f"{what} expected in {path}, found {found}: {advice}"
    raise InputError(msg)


def find_table(folder: Path, stem: str, *, what: str) -> Path:
    """Return ``{stem}.tsv`` or ``{stem}.tsv.gz`` of `folder`.

    Raises
    ------
    InputError
        If neither is there, or both are: which of them is meant cannot be known.
    """
    found = [path for path in (folder / f"{stem}.tsv", folder / f"{stem}.tsv.gz") if path.is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        msg = f"{what} expected once in {folder}, found both {found[0].name} and {found[1].name}: remove one of them"
    else:
        msg = f"{what} expected in {folder}, found neither {stem}.tsv nor {stem}.tsv.gz: check the folder"
    raise InputError(msg)


def read_st_counts(path: Path | str) -> AnnData:
    """Read a table of counts alone, without an image: spots in rows, genes in columns.

    Parameters
    ----------
    path
        ``.tsv`` or ``.tsv.gz``: a header of gene names (with or without an empty first cell), then a spot's name and
        its counts in each row, as her2st and GSE144240 have them.

    Returns
    -------
    AnnData (n_spots, n_genes): `X` raw counts, CSR int32.

    Raises
    ------
    InputError
        If the file is absent, cut short or another table, a spot or gene occurs twice, or a value is no raw count.
    """
    path = Path(path)
    require_separator(path, "\t", what="a table of counts (spots by genes, separated by tabs)")
    with reading(path, "a table of counts (spots by genes, separated by tabs)"):
        check_gzip(path)
        # thousands of columns: a tenth of the time that pandas takes, which would also rename repeated genes unasked
        with _opened(path) as file:
            header = [name.strip('"') for name in file.readline().rstrip("\n").split("\t")]
            rows = [line.rstrip("\n").partition("\t") for line in file if line.strip()]
        if not rows:
            msg = f"rows of counts expected in {path}, found none: fetch it again"
            raise InputError(msg)
        if bare := next((row[0] for row in rows if not row[2].strip()), None):  # which loadtxt would leave out
            msg = f"counts expected behind every spot of {path}, found none behind {shown(bare)}: fetch it again"
            raise InputError(msg)
        values = np.loadtxt([row[2] for row in rows], delimiter="\t", comments=None, ndmin=2)
    n_genes = values.shape[1]
    if len(header) not in (n_genes, n_genes + 1):
        msg = f"a gene's name over each column of {path} expected, found {len(header)} names over {n_genes}: check it"
        raise InputError(msg)
    spots = _once([row[0].strip('"') for row in rows], what="spot", path=path)
    genes = _once(header[-n_genes:], what="gene", path=path)
    return AnnData(X=as_counts(values, where=path.name), obs=pd.DataFrame(index=spots), var=pd.DataFrame(index=genes))


def read_spot_table(path: Path, columns: Sequence[str], *, optional: Sequence[str] = ()) -> pd.DataFrame:
    """Read where spots lie.

    Parameters
    ----------
    path
        ``.tsv`` or ``.tsv.gz`` with a header.
    columns
        Columns of numbers that must be there.
    optional
        Columns of text to keep where they are there.

    Returns
    -------
    One row a spot: `columns` as float64 (an empty cell is NaN), then those of `optional` that were found, as text.

    Raises
    ------
    InputError
        If the file is absent or damaged, lacks a column, or holds something else than a number.
    """
    require_separator(path, "\t", what="a table of spots (separated by tabs)")
    with reading(path, "a table of spots (separated by tabs)"):
        check_gzip(path)
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding=_ENCODING)
    lost = [column for column in columns if column not in table]
    if lost:
        found = ", ".join(map(str, table.columns[:8]))
        msg = f"a column {lost[0]!r} expected in {path}, found {found}: check that it is the table of spots"
        raise InputError(msg)
    numbers = table[list(columns)].apply(pd.to_numeric, errors="coerce").astype(np.float64)
    wrong = numbers.isna() & ~table[list(columns)].isin(["", "NA", "NaN", "nan"])
    for column in columns:
        if wrong[column].any():
            cell = table.loc[wrong[column], column].iloc[0]
            msg = f"numbers expected in column {column!r} of {path}, found {cell!r}: check the file"
            raise InputError(msg)
    return numbers.join(table[[column for column in optional if column in table]])


def _opened(path: Path) -> TextIO:
    """Open a text file, plain or gzipped."""
    if path.suffix.lower() == ".gz":
        return cast("TextIO", gzip.open(path, "rt", encoding=_ENCODING))
    return path.open(encoding=_ENCODING)


def _once(names: list[str], *, what: str, path: Path) -> pd.Index:
    index = pd.Index(names, dtype=object)
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        msg = f"each {what} once expected in {path}, found {what} {twice!r} more than once: rename or add up those"
        raise InputError(msg)
    return index
