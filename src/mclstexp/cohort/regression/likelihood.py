"""`Likelihood`: how well scores of patients say what became of them, and which way they should go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Float, Int

Scores = Float[np.ndarray, " n"]
Design = Float[np.ndarray, "n p"]


@dataclass(frozen=True, eq=False)
class Slope:
    """A log-likelihood at some coefficients, with its derivatives."""

    value: float
    gradient: Float[np.ndarray, " p"]
    information: Float[np.ndarray, "p p"]
    """Minus the second derivatives."""


class Likelihood(ABC):
    """Log-likelihood of outcomes given a score for each patient, concave in the scores."""

    has_intercept: ClassVar[bool] = True
    """Whether a constant score says something."""

    @abstractmethod
    def value(self, scores: Scores) -> float:
        """Return the log-likelihood."""

    @abstractmethod
    def slope(self, design: Design, scores: Scores) -> Slope:
        """Return it with its derivatives by the coefficients of `design`, at the scores they give."""

    @abstractmethod
    def of(self, rows: Int[np.ndarray, " m"]) -> Self:
        """Return that of some of the patients."""


@dataclass(frozen=True, eq=False)
class Logistic(Likelihood):
    """Of yes (1) and no (0), the scores being log odds."""

    outcome: Scores

    def value(self, scores: Scores) -> float:
        """See `Likelihood.value`."""
        return float(self.outcome @ scores - np.logaddexp(0, scores).sum())

    def slope(self, design: Design, scores: Scores) -> Slope:
        """See `Likelihood.slope`."""
        expected = np.exp(-np.logaddexp(0, -scores))
        weight = expected * (1 - expected)
        information = (design * weight[:, None]).T @ design
        return Slope(self.value(scores), design.T @ (self.outcome - expected), information)

    def of(self, rows: Int[np.ndarray, " m"]) -> Self:
        """See `Likelihood.of`."""
        return type(self)(self.outcome[rows])


@dataclass(frozen=True, eq=False)
class Gaussian(Likelihood):
    """Of numbers with errors of variance 1, the scores being what is expected."""

    outcome: Scores

    def value(self, scores: Scores) -> float:
        """See `Likelihood.value`."""
        return -0.5 * float(((self.outcome - scores) ** 2).sum())

    def slope(self, design: Design, scores: Scores) -> Slope:
        """See `Likelihood.slope`."""
        return Slope(self.value(scores), design.T @ (self.outcome - scores), design.T @ design)

    def of(self, rows: Int[np.ndarray, " m"]) -> Self:
        """See `Likelihood.of`."""
        return type(self)(self.outcome[rows])
