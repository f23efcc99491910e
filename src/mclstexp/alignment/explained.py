"""How much of a section's expression local stain explains, for many ways in which its spots could lie at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from jaxtyping import Float, Int

from mclstexp.alignment.stain_map import StainMap
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.measured import has_counts
from mclstexp.core.panel import select_hvg
from mclstexp.core.section import Section

N_COMPONENTS: Final = 5
"""Leading principal components of expression that are explained beside the total count."""
_N_GENES: Final = 500
_N_FOLDS: Final = 4
_PENALTY: Final = 0.01
"""Of the ridge regression, per spot, on numbers of unit variance."""
_NUMBERS_AT_ONCE: Final = 2**22


@dataclass(frozen=True, eq=False)
class Measured:
    """What is to be explained of a section's spots."""

    xy: Float[np.ndarray, "n 2"]
    """Where they are said to lie, pixels."""
    values: Float[np.ndarray, "n n_values"]
    """Logarithm of the total count and the leading components of expression, of mean 0 and variance 1."""
    weights: Float[np.ndarray, " n_values"]
    """How much each counts: one half the total, the other half the components by their variance."""
    folds: Int[np.ndarray, " n"]
    """Which part of the array each lies in, for cross-validation; whole regions are left out together."""

    @classmethod
    def of(cls, section: Section) -> Self:
        """Reduce a section's counts; spots without counts are left out."""
        section = section.take(has_counts(section))
        total = np.log1p(np.asarray(section.counts.X.sum(axis=1), np.float64).ravel())
        genes = select_hvg([section], n_genes=min(_N_GENES, section.counts.n_vars))
        expression = ExpressionSpace(tuple(genes))(section.counts).astype(np.float64)
        expression -= expression.mean(axis=0)
        u, length, _ = np.linalg.svd(expression, full_matrices=False)
        n = int(min(N_COMPONENTS, (length > 1e-6 * length[0]).sum()))
        share = length[:n] ** 2 / (length[:n] ** 2).sum()
        values = np.column_stack([total - total.mean(), u[:, :n]])
        spread = values.std(axis=0)
        weights = np.concatenate([[0.5], 0.5 * share])
        return cls(section.tiles.xy, values / np.where(spread > 0, spread, 1), weights, _regions(section.tiles.xy))

    def some(self, most: int, rng: np.random.Generator) -> Measured:
        """Keep no more than so many of the spots, drawn at random."""
        if len(self.xy) <= most:
            return self
        index = np.sort(rng.choice(len(self.xy), most, replace=False))
        values = self.values[index] - self.values[index].mean(axis=0)
        return Measured(self.xy[index], values, self.weights, self.folds[index])


def explained(
    measured: Measured, stain: StainMap, places: Float[np.ndarray, "t n 2"], *, others: np.ndarray | None = None
) -> Float[np.ndarray, "t m"]:
    """Say how much stain explains if spots lay at `places`: cross-validated R² of a ridge regression, at least 0 each.

    Parameters
    ----------
    measured
        What is explained.
    stain
        What explains it.
    places
        For each of t ways the places of all spots, pixels.
    others
        (m - 1, n, n_values) values in place of the measured ones, such as maps drawn at random.

    Returns
    -------
    (t, m) from 0 to 1, weighted over values: first of what was measured, then of each of the others.
    """
    values = measured.values[None] if others is None else np.concatenate([measured.values[None], others])
    m, n, k = values.shape
    targets = values.transpose(1, 0, 2).reshape(n, m * k)
    n_ways = max(1, _NUMBERS_AT_ONCE // (n * (stain.numbers.shape[-1] + m * k)))
    found = [
        _r2(stain.at(places[start : start + n_ways]), targets, measured.folds)
        for start in range(0, len(places), n_ways)
    ]
    r2 = np.concatenate(found).reshape(len(places), m, k)
    return np.asarray(np.maximum(r2, 0) @ measured.weights)


def _r2(
    numbers: Float[np.ndarray, "t n d"], targets: Float[np.ndarray, "n v"], folds: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "t v"]:
    """Cross-validated R² of targets of mean 0, for each of t sets of numbers."""
    numbers = numbers.astype(np.float64)
    numbers -= numbers.mean(axis=1, keepdims=True)
    spread = numbers.std(axis=1, keepdims=True)
    numbers = numbers / np.where(spread > 1e-9, spread, 1)
    numbers = np.concatenate([numbers, np.ones((*numbers.shape[:2], 1))], axis=2)
    penalty = _PENALTY * len(folds) * np.eye(numbers.shape[2])
    penalty[-1, -1] = 1e-9  # the intercept's
    parts = [folds == fold for fold in range(_N_FOLDS)]
    squares = [numbers[:, part].transpose(0, 2, 1) @ numbers[:, part] for part in parts]
    products = [numbers[:, part].transpose(0, 2, 1) @ targets[part] for part in parts]
    left = np.zeros((len(numbers), targets.shape[1]))
    for part, square, product in zip(parts, squares, products, strict=True):
        coef = np.linalg.solve(sum(squares) - square + penalty, sum(products) - product)
        # |y - Xw|² by the parts that are there already
        left += (targets[part] ** 2).sum(axis=0) + (coef * (square @ coef - 2 * product)).sum(axis=1)
    return np.asarray(1 - left / np.maximum((targets**2).sum(axis=0), 1e-12))


def _regions(xy: Float[np.ndarray, "n 2"]) -> Int[np.ndarray, " n"]:
    """Part spots into 4 by 4 blocks of equal numbers a column, and these into folds, none beside one of its own."""
    n = len(xy)
    column, row = (np.argsort(np.argsort(axis, kind="stable")) * 4 // n for axis in xy.T)
    return np.asarray((column + 2 * row) % _N_FOLDS)
