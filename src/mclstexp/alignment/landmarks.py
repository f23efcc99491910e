"""Pairs of points that somebody saw: where the places say a thing lies, and where it lies on the image."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.alignment.placement import Placement
from mclstexp.core.errors import InputError
from mclstexp.io.guard import reading
from mclstexp.io.tables import require_separator

COLUMNS: Final = ("x", "y", "image_x", "image_y")
LEAST: Final = 3
"""Pairs that settle an affine map."""
_WHAT: Final = f"a table of landmarks (.csv with columns {', '.join(COLUMNS)})"


def read_landmarks(path: Path | str) -> Float[np.ndarray, "n 4"]:
    """Read pairs of points, pixels: (column, row) among the places, and of the same thing on the image.

    Raises
    ------
    InputError
        If there is no such table, a number is missing, or there are fewer than three pairs.
    """
    path = Path(path)
    require_separator(path, ",", what=_WHAT, columns=len(COLUMNS))
    with reading(path, _WHAT):
        table = pd.read_csv(path, encoding="utf-8-sig", skipinitialspace=True)
        pairs = table[list(COLUMNS)].to_numpy(np.float64)
    if not np.isfinite(pairs).all():
        line = int(np.flatnonzero(~np.isfinite(pairs).all(axis=1))[0]) + 2
        msg = f"{path}, line {line}: four numbers ({', '.join(COLUMNS)}) expected, found a gap: fill it in"
        raise InputError(msg)
    if len(pairs) < LEAST:
        msg = f"at least {LEAST} pairs of points expected in {path}, found {len(pairs)}: add some, far apart"
        raise InputError(msg)
    return pairs


def fit_landmarks(pairs: Float[np.ndarray, "n 4"], *, where: str) -> tuple[Placement, float]:
    """Fit an affine map to pairs of points.

    Returns
    -------
    The map, and how far it leaves them apart (root mean square, pixels); of three pairs nothing is left.

    Raises
    ------
    InputError
        If the points lie on a line.
    """
    for points, of in ((pairs[:, :2], "x, y"), (pairs[:, 2:], "image_x, image_y")):
        long, short = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[:2]
        if short < 1e-3 * long or long == 0:
            msg = f"{where}: landmarks that span a plane expected, found all ({of}) on a line: add one beside it"
            raise InputError(msg)
    placement = Placement.fitted(pairs[:, :2], pairs[:, 2:])
    return placement, float(np.sqrt(((placement(pairs[:, :2]) - pairs[:, 2:]) ** 2).sum(axis=1).mean()))
