"""Where something can lie: at finite numbers, no farther than any slide reaches."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FARTHEST: Final = 1e9
"""In pixels, µm or rows of an array: a thousand times a slide's width; squares of more would leave no distances."""


def misplaced(xy: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows of `xy` (n, n_axes) are no places: NaN, infinity, or farther than `FARTHEST`."""
    return ~(np.isfinite(xy) & (np.abs(xy) <= FARTHEST)).all(axis=1)


def said_of_misplaced(xy: NDArray[Any]) -> str:
    """Say what is wrong with places, as in "NaN or infinity in 2 of 30 rows"; empty where nothing is."""
    if not (n_bad := int(misplaced(xy).sum())):
        return ""
    what = f"a place beyond {FARTHEST:g}" if np.isfinite(xy).all() else "NaN or infinity"
    return f"{what} in {n_bad} of {len(xy)} rows"
