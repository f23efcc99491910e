"""A slide as a mixture of prototypes: MAP-EM of a diagonal Gaussian mixture, in pieces of any number of tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from jaxtyping import Float

FLOOR: Final = 1e-6
"""The least variance: a second round takes its logarithm."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """Shares, means and variances of components."""

    shares: Float[np.ndarray, " k"]
    means: Float[np.ndarray, "k dim"]
    variances: Float[np.ndarray, "k dim"]

    def responsibilities(self, tiles: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n k"]:
        """Say how likely each tile comes from each component; a row adds up to 1."""
        centre = self.means.mean(axis=0)  # squares of what lies far from 0 would cancel
        off = self.means - centre
        pull = 2 * off / self.variances
        log_odds = tiles @ pull.T - pull @ centre - (off**2 / self.variances).sum(axis=1)
        if (self.variances != self.variances[0]).any():  # else the same for all
            log_odds -= (tiles - centre) ** 2 @ (1 / self.variances).T + np.log(self.variances).sum(axis=1)
        log_odds = 0.5 * log_odds + np.log(self.shares)
        likely = np.exp(log_odds - log_odds.max(axis=1, keepdims=True))
        return likely / likely.sum(axis=1, keepdims=True)

    def flat(self) -> Float[np.ndarray, " n"]:
        """Return all numbers in a row: shares, then means, then variances, a component after the other."""
        return np.concatenate([self.shares, self.means.ravel(), self.variances.ravel()])


@dataclass(frozen=True, eq=False)
class Prior:
    """What is expected of a slide before it is seen (Song et al. 2024, after Kim et al. 2022)."""

    means: Float[np.ndarray, "k dim"]
    """The prototypes."""
    variance: Float[np.ndarray, " dim"]
    """Of each feature around them."""
    pseudo_count: float
    """How many tiles it counts for, in each component."""

    def start(self) -> Mixture:
        """Return the mixture before any tile: even shares."""
        k = len(self.means)
        return Mixture(np.full(k, 1 / k), self.means, np.tile(self.variance, (k, 1)))

    def mixture(self, chunks: Callable[[], Iterable[Float[np.ndarray, "_ dim"]]], *, rounds: int = 1) -> Mixture:
        """Fit the mixture to a slide's tiles.

        Parameters
        ----------
        chunks
            Gives the features of all tiles, some at a time, anew for each round.
        rounds
            Of expectation and maximisation.
        """
        mixture = self.start()
        for _ in range(rounds):
            sums = _Sums.none(self.means)
            for chunk in chunks():
                tiles = np.asarray(chunk, np.float64)
                sums = sums.add(tiles, mixture.responsibilities(tiles))
            mixture = self._most_likely(sums)
        return mixture

    def shares(self, chunks: Iterable[Float[np.ndarray, "_ dim"]]) -> Float[np.ndarray, " k"]:
        """Return the shares after one round alone, for which no sums of features are needed."""
        start, number = self.start(), np.zeros(len(self.means))
        for chunk in chunks:
            number += start.responsibilities(np.asarray(chunk, np.float64)).sum(axis=0)
        return self._shares(number)

    def _shares(self, number: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        return (number + self.pseudo_count) / (number + self.pseudo_count).sum()

    def _most_likely(self, sums: _Sums) -> Mixture:
        number, off, squares = sums.around(self.means)
        total = (number + self.pseudo_count)[:, None]
        moved = off / total
        variances = (squares + self.pseudo_count * self.variance) / total - moved**2
        return Mixture(self._shares(number), self.means + moved, np.maximum(variances, FLOOR))


@dataclass(frozen=True, eq=False)
class _Sums:
    """What of the tiles a round needs: they add up, in whatever pieces the tiles come."""

    centre: Float[np.ndarray, " dim"]  # near the tiles, so that squares do not cancel
    number: Float[np.ndarray, " k"]
    first: Float[np.ndarray, "k dim"]
    second: Float[np.ndarray, "k dim"]

    @classmethod
    def none(cls, means: Float[np.ndarray, "k dim"]) -> Self:
        return cls(means.mean(axis=0), np.zeros(len(means)), np.zeros(means.shape), np.zeros(means.shape))

    def add(self, tiles: Float[np.ndarray, "n dim"], likely: Float[np.ndarray, "n k"]) -> Self:
        off = tiles - self.centre
        first, second = likely.T @ off, likely.T @ off**2
        return type(self)(self.centre, self.number + likely.sum(axis=0), self.first + first, self.second + second)

    def around(
        self, means: Float[np.ndarray, "k dim"]
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "k dim"], Float[np.ndarray, "k dim"]]:
        """Return numbers of tiles, and the sums of differences and of their squares to the component's own mean."""
        off, number = means - self.centre, self.number[:, None]
        return self.number, self.first - number * off, self.second - 2 * off * self.first + number * off**2
