"""Parquet tables: another column, another kind, other rows."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pandas as pd


def mutate(path: Path, chance: Random) -> str:
    """Rewrite the table with one thing changed."""
    table = pd.read_parquet(path)
    column = chance.choice(list(table.columns))
    kind = chance.choice(("remove", "rename", "text", "numbers", "nan", "no rows", "half", "twice", "constant"))
    if kind == "remove":
        table = table.drop(columns=column)
    elif kind == "rename":
        table = table.rename(columns={column: f"{column}x"})
    elif kind == "text":
        table[column] = table[column].astype(str) + "?"
    elif kind == "numbers":
        table[column] = np.arange(len(table), dtype=np.float64) * 1e300
    elif kind == "nan":
        table[column] = np.nan
    elif kind == "no rows":
        table = table.iloc[:0]
    elif kind == "half":
        table = table.iloc[: len(table) // 2]
    elif kind == "twice":
        table = pd.concat([table, table])
    else:
        table[column] = "\u202e<b>"
    table.to_parquet(path, index=False)
    return f"column {column}: {kind}"
