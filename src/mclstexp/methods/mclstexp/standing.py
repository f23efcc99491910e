"""How well a model knows tiles like these: its standing among models that are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from mclstexp.core.tiles import Tiles
from mclstexp.data.neighbours import mean_of_neighbours
from mclstexp.retrieval.bank import ReferenceBank

N_NEAREST: Final = 50
"""Spots whose cosine tells how near a tile lies to the bank."""

Queries = Float[np.ndarray, "n_tiles dim"]


@dataclass(frozen=True)
class Usual:
    """Mean and spread over training tiles of how near they lie to the model's bank."""

    mean: float
    spread: float


def nearness(bank: ReferenceBank, queries: Queries) -> Float[np.ndarray, " n_tiles"]:
    """Return each tile's mean cosine with its nearest spots."""
    return bank.nearest(queries, k=N_NEAREST)[1].mean(axis=1)


def usual_of(bank: ReferenceBank, queries: Queries) -> Usual:
    """Learn from training tiles what is usual."""
    found = nearness(bank, queries)
    return Usual(float(found.mean()), max(float(found.std()), 1e-6))


def standings(
    banks: Sequence[ReferenceBank],
    usual: Sequence[Usual],
    queries: Sequence[Queries],
    tiles: Tiles,
    *,
    radius_um: float,
) -> Float[np.ndarray, "n_models n_tiles"]:
    """Return by how many standard deviations tiles lie nearer to each model's bank than training tiles do.

    A tile unlike all that a model has seen lies far from its spots. One tile says little; where a model looks at the
    tiles around anyway, the mean over them is taken.
    """
    found = np.stack(
        [(nearness(bank, query) - u.mean) / u.spread for bank, u, query in zip(banks, usual, queries, strict=True)]
    )
    if radius_um == 0:
        return found
    smooth = mean_of_neighbours(found.T.astype(np.float32), tiles.xy_um, radius_um=radius_um, array_xy=tiles.array_xy)
    return smooth.T


def shares(
    weights: Sequence[float], standing: Float[np.ndarray, "n_models n_tiles"] | None, *, trust: float
) -> list[float | Float[np.ndarray, " n_tiles"]]:
    """Return each model's share of the prediction: its weight times exp(trust · standing), to sum 1 at each tile."""
    if standing is None or trust == 0:
        return list(weights)
    powers = np.exp(trust * (standing - standing.max(axis=0)))
    raised = np.asarray(weights)[:, None] * powers
    return list(raised / raised.sum(axis=0))
