"""Where genes lie on the genome: a table of gene, chromosome, start and end."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd

from mclstexp.core.errors import InputError
from mclstexp.core.wording import shown
from mclstexp.io.guard import reading
from mclstexp.io.tables import read_text

_WHAT = "a table of gene, chromosome, start and end (.tsv or .csv, with or without names over its columns)"


def read_gene_positions(path: Path | str) -> pd.DataFrame:
    """Read positions of genes.

    Parameters
    ----------
    path
        Text (.tsv or .csv, also .gz): gene, chromosome ("chr1" or "1"), start and end in base pairs, in that order.

    Returns
    -------
    "chromosome" (text without "chr") and "position" (the middle, base pairs) by gene; of a gene that comes twice the
    first.

    Raises
    ------
    InputError
        If the file is absent or something else.
    """
    path = Path(path)
    with reading(path, _WHAT):
        mark = "," if ".csv" in path.name.lower() else "\t"
        rows = [row for row in csv.reader(io.StringIO(read_text(path)), delimiter=mark) if row]
    if rows and len(rows[0]) >= 4 and not rows[0][2].strip().isdigit():
        rows = rows[1:]
    wrong = next((row for row in rows if len(row) < 4 or not (row[2].strip() + row[3].strip()).isdigit()), None)
    if wrong is not None or not rows:
        msg = f"{_WHAT} expected in {path}, found {'no row' if wrong is None else shown(wrong)}: write base pairs"
        raise InputError(msg)
    ends = np.array([[int(row[2]), int(row[3])] for row in rows], np.float64)
    table = pd.DataFrame(
        {"chromosome": [row[1].strip().removeprefix("chr") for row in rows], "position": ends.mean(axis=1)},
        index=pd.Index([row[0].strip() for row in rows], dtype=object),
    )
    return table[~table.index.duplicated()]
