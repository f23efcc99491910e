"""Quantiles of errors over individuals: how far off the predictions of others were where they predicted alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from jaxtyping import Float

_BINS: Final = 4
"""Of predicted values, each with a width of its own."""
_SPOTS_PER_BIN: Final = 50
_NEXT: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Errors:
    """One gene's predictions for one unit, and how far off they were."""

    guess: Float[np.ndarray, " n_spots"]
    """Predicted values."""
    off: Float[np.ndarray, " n_spots"]
    """Distances from the measured ones."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Errors of several units together, each weighing alike, however many its spots; or apart by what was predicted."""

    edges: Float[np.ndarray, " n_edges"]
    """Predicted values between bins."""
    bins: tuple[tuple[np.ndarray, np.ndarray], ...]
    """Of each bin (n_errors,) its errors in order, and the weight up to each."""

    @classmethod
    def of(cls, units: Sequence[Errors], *, by_value: bool = False) -> Self:
        """Put the errors of units together.

        Parameters
        ----------
        units
            Of one gene.
        by_value
            Whether widths may differ between quarters of the predicted values. Within an individual they do well;
            models of other individuals predict on another level, where a quarter holds other places.
        """
        guess, off = (np.concatenate([getattr(unit, name) for unit in units]) for name in ("guess", "off"))
        weight = np.concatenate([np.full(len(unit.off), 1 / len(unit.off)) for unit in units])
        n_bins = min(_BINS, max(1, len(guess) // _SPOTS_PER_BIN)) if by_value else 1
        edges = np.unique(np.quantile(guess, np.linspace(0, 1, n_bins + 1)[1:-1]))
        bin_of, bins = np.searchsorted(edges, guess, side="right"), []
        for n in range(len(edges) + 1):
            # a bin that ties left empty knows no better than all spots together
            there = bin_of == n if (bin_of == n).any() else np.full(len(off), fill_value=True)
            order = np.argsort(off[there], kind="stable")
            weights = np.cumsum(weight[there][order])
            bins.append((off[there][order], weights / weights[-1]))
        return cls(edges, tuple(bins))

    def widths(self, guess: Float[np.ndarray, " n"], *, level: float) -> Float[np.ndarray, " n"]:
        """Return how far from each predicted value `level` of the errors reach, the asked spot's own allowed for.

        Of *m* errors that weigh alike it is the ceil((m + 1) · level)-th smallest, and the largest of too few.
        """
        of_bin = []
        for off, weight in self.bins:
            rank = int(np.searchsorted(weight, level * (len(off) + 1) / len(off) - _NEXT))
            of_bin.append(off[min(rank, len(off) - 1)])
        return np.array(of_bin)[np.searchsorted(self.edges, guess, side="right")]

    def levels(self, asked: Errors) -> Float[np.ndarray, " n_spots"]:
        """Return the level above which `widths` holds each of these errors; 1 for what no level holds."""
        bin_of, found = np.searchsorted(self.edges, asked.guess, side="right"), np.empty(len(asked.off))
        for n, (off, weight) in enumerate(self.bins):
            there = bin_of == n
            rank = np.searchsorted(off, asked.off[there])
            below = np.concatenate([[0], weight])[rank] * len(off) / (len(off) + 1)
            found[there] = np.where(rank == len(off), 1, below)
        return found


def level_to_ask(of_units: Sequence[np.ndarray], *, level: float) -> float:
    """Say which level intervals must be asked for to hold `level` of the values of a unit that is not among these.

    Errors of one individual resemble each other, so a new one's lie outside of what few others showed more often
    than spots do: asked for 0.8, intervals from two individuals hold about 0.77. How much more often is seen when each
    of these is judged by the rest. That is what n - 1 units miss; n miss (n - 1) / n of it, for what is missed falls
    with their number. One unit shows nothing of it.

    Parameters
    ----------
    of_units
        Of each unit (n_errors,) the levels of its errors (`Pool.levels`) among the other units'.
    level
        Share of values that is to be held.
    """
    if len(of_units) < 2:
        return level
    share = (len(of_units) - 1) / len(of_units)
    return float(np.clip(level + (level_needed(of_units, level=level) - level) * share, 0, 1))


def level_needed(of_units: Sequence[np.ndarray], *, level: float) -> float:
    """Say which level would have held `level` of these errors, each unit weighing alike."""
    weight = np.concatenate([np.full(len(levels), 1 / len(levels)) for levels in of_units])
    found = np.concatenate(of_units)
    order = np.argsort(found, kind="stable")
    weights = np.cumsum(weight[order]) / weight.sum()
    rank = int(np.searchsorted(weights, level - _NEXT))
    return min(float(found[order][min(rank, len(found) - 1)]) + _NEXT, 1.0)
