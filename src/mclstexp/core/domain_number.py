"""How many domains there are, told without labels: two halves of the spots must be divided alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestCentroid

MOST_DOMAINS: Final = 12
_N_HALVINGS: Final = 5

Cut = Callable[[Int[np.ndarray, " n"], int], Int[np.ndarray, " n"]]
"""(rows, number) → the domain of each row, found on those rows alone."""


def stable_number(
    points: Float[np.ndarray, "n_spots dim"], cut: Cut, *, seed: int, most: int = MOST_DOMAINS
) -> tuple[int, dict[int, float]]:
    """Choose the number of domains at which halves of the spots are divided alike (after Lange and others 2004).

    The spots fall into two halves by chance, five times. Each half is cut by itself; the second's spots are also given
    to the domains of the first whose means they lie nearest, and the two divisions are compared (adjusted Rand index,
    0 by chance whatever the number). Few domains are the easiest to find again: so of the numbers that are within one
    standard error of the most stable one the largest is taken.

    Parameters
    ----------
    points
        Where each spot lies for the method.
    cut
        How some of them are cut into a number of domains.
    seed
        Of the halves.
    most
        The largest number that is tried, from 2 on; fewer where a half has not five spots for each.

    Returns
    -------
    The number, and the mean index of each that was tried.
    """
    rng = np.random.default_rng(seed)
    halvings = [np.array_split(rng.permutation(len(points)), 2) for _ in range(_N_HALVINGS)]
    numbers = range(2, max(2, min(most, len(points) // 10)) + 1)
    scores = np.array([[_agree(points, cut, np.sort(a), np.sort(b), n) for a, b in halvings] for n in numbers])
    means, errors = scores.mean(axis=1), scores.std(axis=1, ddof=1) / np.sqrt(_N_HALVINGS)
    best = int(means.argmax())
    chosen = int(np.flatnonzero(means >= means[best] - errors[best])[-1])
    return numbers[chosen], {number: float(mean) for number, mean in zip(numbers, means, strict=True)}


def _agree(points: np.ndarray, cut: Cut, first: np.ndarray, second: np.ndarray, number: int) -> float:
    known, own = cut(first, number), cut(second, number)
    if len(np.unique(known)) < 2:
        return 0.0
    told = NearestCentroid().fit(points[first], known).predict(points[second])
    return float(adjusted_rand_score(told, own))
