"""Gaussian processes over places, of one length and one share of noise for all genes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import linalg
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

LENGTHS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Lengths that are tried, in distances of neighbouring spots."""
NOISES: Final = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Noise over signal, in variances, that is tried."""
WHOLE: Final = 5000
"""Spots up to which all weigh in every place; beyond, the nearest `NEAR` do."""
NEAR: Final = 50
PATCH: Final = 500
N_PATCHES: Final = 3
"""Length and noise are learnt on so many patches of so many spots that lie together; on all spots of a section that has
no more."""
_ROWS: Final = 2000

Places = NDArray[np.float64]
"""(n, 2 or more): µm first."""
Values = NDArray[np.float64]
"""(n, n_genes)."""
Correlation = Callable[[Places, Places], NDArray[np.float64]]
"""How alike two sets of places are, 1 of a place with itself."""


def matern(one: Places, other: Places, *, length_um: float) -> NDArray[np.float64]:
    """Return the Matérn correlation of order 3/2: continuous maps with a slope everywhere."""
    apart = np.sqrt(3) * cdist(one[:, :2], other[:, :2]) / length_um
    return (1 + apart) * np.exp(-apart)


@dataclass(frozen=True, eq=False)
class Process:
    """What was learnt of all genes together."""

    correlation: Correlation
    """Between the means of the expression at two places."""
    noise: float
    """A spot's own variance over that of the map."""
    error: float
    """Mean squared error of left-out spots over a gene's variance."""


def learn(
    places: Places, values: Values, correlations: Sequence[Correlation], *, noises: Sequence[float], seed: int
) -> Process:
    """Choose among correlations and shares of noise by leaving out single spots, in closed form.

    A left-out spot errs by [A⁻¹ (y - mean)]_i / [A⁻¹]_ii with A = correlation + noise (Rasmussen and Williams, Gaussian
    Processes for Machine Learning, 5.4.2), so that one decomposition serves for all genes and all noises.

    Parameters
    ----------
    places
        (n, 2 or more) the given spots, µm first.
    values
        (n, n_genes) their expression; each gene weighs alike.
    correlations, noises
        What is tried.
    seed
        Where the patches lie.
    """
    spread = values.std(axis=0)
    patterns = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)
    errors = np.zeros((len(correlations), len(noises)))
    patches = _patches(places, seed=seed)
    for patch in patches:
        for row, correlation in enumerate(correlations):
            errors[row] += _left_out(correlation(places[patch], places[patch]), patterns[patch], noises=noises)
    errors /= sum(map(len, patches)) * values.shape[1]
    best, share = divmod(int(np.argmin(errors)), len(noises))
    return Process(correlations[best], float(noises[share]), float(errors[best, share]))


def _patches(places: Places, *, seed: int) -> list[NDArray[np.intp]]:
    if len(places) <= N_PATCHES * PATCH:
        return [np.arange(len(places))]
    centres = np.random.default_rng(seed).permutation(len(places))[:N_PATCHES]
    return list(cKDTree(places[:, :2]).query(places[centres, :2], k=PATCH)[1])


def _left_out(
    correlation: Float[np.ndarray, "n n"], patterns: Values, *, noises: Sequence[float]
) -> Float[np.ndarray, " n_noises"]:
    values, vectors = np.linalg.eigh(correlation)
    values, turned = np.maximum(values, 0), vectors.T @ patterns
    errors = []
    for noise in noises:
        own = (vectors**2) @ (1 / (values + noise))
        errors.append(float((((vectors @ (turned / (values + noise)[:, None])) / own[:, None]) ** 2).sum()))
    return np.array(errors)


def predict(process: Process, places: Places, values: Values, asked: Places) -> tuple[Values, Values]:
    """Return (n_asked, n_genes) each: the mean, and the variance of the map (without a spot's own noise) there."""
    centre = values.mean(axis=0)
    rest = values - centre
    if len(places) <= WHOLE:
        shares, scale, left = _whole(process, places, rest, asked)
    else:
        shares, scale, left = _local(process, places, rest, asked)
    return centre + shares, left[:, None] * scale


def _whole(process: Process, places: Places, rest: Values, asked: Places) -> tuple[Values, Values, NDArray[np.float64]]:
    matrix = process.correlation(places, places)
    matrix[np.diag_indices_from(matrix)] += process.noise
    lower = linalg.cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
    half = linalg.solve_triangular(lower, rest, lower=True, check_finite=False)
    scale = (half**2).mean(axis=0)  # the map's variance, of largest likelihood
    shares, left = np.empty((len(asked), rest.shape[1])), np.empty(len(asked))
    for start in range(0, len(asked), _ROWS):
        rows = slice(start, start + _ROWS)
        to = linalg.solve_triangular(
            lower, process.correlation(places, asked[rows]), lower=True, overwrite_b=True, check_finite=False
        )
        shares[rows] = to.T @ half
        left[rows] = 1 - (to**2).sum(axis=0)
    return shares, scale, np.maximum(left, 0)


def _local(process: Process, places: Places, rest: Values, asked: Places) -> tuple[Values, Values, NDArray[np.float64]]:
    """As `_whole`, each place from its nearest spots; every tenth spot says how large the map's variance is."""
    tree = cKDTree(places[:, :2])
    shares, left = np.empty((len(asked), rest.shape[1])), np.empty(len(asked))
    scales = []
    for row, near in enumerate(tree.query(asked[:, :2], k=NEAR)[1]):
        matrix = process.correlation(places[near], places[near])
        matrix[np.diag_indices_from(matrix)] += process.noise
        to = process.correlation(places[near], asked[row : row + 1])[:, 0]
        weights = linalg.solve(matrix, to, assume_a="pos", check_finite=False)
        shares[row], left[row] = weights @ rest[near], 1 - weights @ to
        if row % 10 == 0:
            scales.append((rest[near] * linalg.solve(matrix, rest[near], assume_a="pos")).mean(axis=0))
    return shares, np.mean(scales, axis=0), np.maximum(left, 0)
