"""Counting pairs without looking at each: how many of those that come later lie below a value."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

TIED: Final = 1e-8
"""Risks nearer than this are the same risk."""


def order_of_ends(time: Float[np.ndarray, " n"], event: Bool[np.ndarray, " n"]) -> tuple[np.ndarray, np.ndarray]:
    """Order patients by when follow-up ends, events before censorings.

    Returns
    -------
    The order, and for each patient (in the order given) the place in it from which on those stand who are known to
    have been without an event for longer; it means something of patients with an event.
    """
    order = np.lexsort((~event, time))
    ended = time[order][event[order]]  # times of events, ascending
    censored_before = np.searchsorted(np.sort(time[~event]), time, side="left")
    return order, np.searchsorted(ended, time, side="right") + censored_before


def count_below(
    values: Float[np.ndarray, " n"], start: Int[np.ndarray, " m"], than: Float[np.ndarray, " m"]
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Count, of those from a place on, the values below one, and those tied with it.

    Parameters
    ----------
    values
        (n,) in their order.
    start
        (m,) first place that counts.
    than
        (m,) value they are held against.

    Returns
    -------
    How many lie below (by more than `TIED`), and how many are tied.

    Notes
    -----
    Places are cut into blocks of 1, 2, 4, … whose values are sorted; what lies behind a place is one block of each size
    at most. n log² n steps in place of n².
    """
    ordered = np.sort(values)
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    below = np.searchsorted(ordered, than - TIED, side="left")
    not_above = np.searchsorted(ordered, than + TIED, side="right")
    n = len(values)
    n_levels = max(n - 1, 0).bit_length()
    padded = np.full(1 << n_levels, n, np.int64)
    padded[:n] = rank
    place, found = start.astype(np.int64), np.zeros((2, len(start)), np.int64)
    for level in range(n_levels + 1):
        size = 1 << level
        keys = np.sort(padded.reshape(-1, size), axis=1) + (n + 1) * np.arange(len(padded) // size)[:, None]
        block = place >> level
        odd = (block & 1 == 1) | (level == n_levels)
        use = odd & (block < len(padded) // size)
        for of, limit in zip(found, (below, not_above), strict=True):
            upto = np.searchsorted(keys.ravel(), block[use] * (n + 1) + limit[use], side="left")
            of[use] += upto - block[use] * size
        place = np.where(odd, (block + 1) << level, place)
    return found[0], found[1] - found[0]
