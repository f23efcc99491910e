"""Retrieved spots as a distribution: its quantiles, and draws from it that hang together in space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from scipy.special import log_ndtr, ndtri

from mclstexp.core.errors import InputError
from mclstexp.core.retrieval import Retrieval, joined

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))  # of splitmix64 (Steele et al. 2014)


def retrieved_quantiles(
    retrievals: Sequence[Retrieval], levels: Sequence[float]
) -> Float[np.ndarray, "n_levels n_tiles n_genes"]:
    """Return quantiles of what was measured at each tile's spots, gene by gene, less the spots' mean.

    Less the mean, so that they lie about whatever is predicted: a method may blend what it retrieves with more.

    Parameters
    ----------
    retrievals
        Of one method's models for the same tiles and training spots, with their expression.
    levels
        Shares of the spots' weight, each in (0, 1). A quantile is the smallest value that reaches its level.

    Returns
    -------
    (n_levels, n_tiles, n_genes) float32.

    Raises
    ------
    InputError
        If there is no retrieval.
    """
    expression = _expression(retrievals)
    found = np.empty((len(levels), len(retrievals[0].tiles), expression.shape[1]), np.float32)
    for tile, (rows, weights) in enumerate(joined(retrievals)):
        values = expression[rows]
        order = np.argsort(values, axis=0)
        below = np.cumsum(weights[order], axis=0) / weights.sum()
        mean = weights @ values / weights.sum()
        for n, level in enumerate(levels):
            first = (below >= level - 1e-9).argmax(axis=0)
            at = np.take_along_axis(order, first[None], axis=0)
            found[n, tile] = np.take_along_axis(values, at, axis=0)[0] - mean
    return found


def drawn_spots(
    retrievals: Sequence[Retrieval], *, xy_um: Float[np.ndarray, "n_tiles 2"], seed: int, length_um: float
) -> Int[np.ndarray, " n_tiles"]:
    """Draw one of its retrieved spots for each tile, by weight, nearby tiles often the same or a like one.

    The largest of log weight + Gumbel noise is a draw by weight (Gumbel 1954; Maddison et al. 2014). Here each training
    spot has noise of its own over the slide that is smooth in space (a Gaussian copula of `smooth_noise`), so that a
    spot that wins at one place is likely to win beside it where tissue is alike. It follows from seed, spot and place
    alone: whatever tiles are asked together, a place gets the same spot.

    Parameters
    ----------
    retrievals
        Of one method's models for the same tiles and training spots.
    xy_um
        (n_tiles, 2) where the tiles lie on their slide.
    seed
        Of the noise; another one draws another map.
    length_um
        Distance over which the noise changes.

    Returns
    -------
    (n_tiles,) training spots, as `Retrieval` counts them.

    Raises
    ------
    InputError
        If there is no retrieval, or the length is not positive.
    """
    if not length_um > 0:
        msg = f"a positive length in µm expected, found {length_um:g}: 100 is the distance of Visium's spots"
        raise InputError(msg)
    _expression(retrievals)
    return np.array([_winner(rows, weights, xy_um[tile], seed, length_um) for tile, rows, weights in _each(retrievals)])


def _each(retrievals: Sequence[Retrieval]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    for tile, (rows, weights) in enumerate(joined(retrievals)):
        kept = weights > 0
        yield tile, rows[kept], weights[kept]


def _winner(rows: np.ndarray, weights: np.ndarray, xy_um: np.ndarray, seed: int, length_um: float) -> int:
    gumbel = -np.log(-log_ndtr(smooth_noise(rows, xy_um, seed=seed, length_um=length_um)))
    return int(rows[np.argmax(np.log(weights) + gumbel)])


def smooth_noise(
    names: Int[np.ndarray, " n"], xy_um: Float[np.ndarray, "2"], *, seed: int, length_um: float
) -> Float[np.ndarray, " n"]:
    """Return standard normal noise at a place, of independent smooth fields by their number.

    Normal values at the nodes of a square lattice come of hashing (seed, field, node); between nodes they are
    interpolated and scaled back to variance 1.
    """
    cell = np.floor(xy_um / length_um)
    fx, fy = xy_um / length_um - cell
    weights = np.array([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy])
    nodes = (cell[:, None] + np.array([[0, 1, 0, 1], [0, 0, 1, 1]])).astype(np.int64).astype(np.uint64)
    hashed = np.zeros((1, 1), np.uint64)
    for part in (np.array([[seed % 2**63]], np.uint64), names.astype(np.uint64)[:, None], nodes[:1], nodes[1:]):
        hashed = _hash(hashed, part)
    uniform = ((hashed >> np.uint64(11)).astype(np.float64) + 0.5) / 2**53
    return ndtri(uniform) @ weights / np.linalg.norm(weights)


def _hash(state: np.ndarray, value: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        mixed = (state ^ value) + _GOLDEN
        for shift, factor in _MIX:
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed


def _expression(retrievals: Sequence[Retrieval]) -> Float[np.ndarray, "n_spots n_genes"]:
    if not retrievals or retrievals[0].expression is None:
        msg = (
            "a method that retrieves measured spots expected, found one that keeps none: fit mclstexp, bleep, "
            "st_gchb or knn"
        )
        raise InputError(msg)
    return retrievals[0].expression
