"""Which measured spots a prediction is made of: the reason that a method which retrieves can give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mclstexp.core.errors import InputError


@dataclass(frozen=True, eq=False)
class Retrieval:
    """How one model finds measured spots for tiles."""

    tiles: Float[np.ndarray, "n_tiles dim"]
    """Embeddings of the asked tiles."""
    spots: Float[np.ndarray, "n_spots dim"]
    """Embeddings of the training spots: sections in the order of the fit, spots in their section's."""
    rows: Int[np.ndarray, "n_tiles k"]
    """Training spots found for each tile, of largest cosine first."""
    shares: Float[np.ndarray, "n_tiles k"]
    """What each contributes to the tile's average; rows sum to 1."""
    weight: float | Float[np.ndarray, " n_tiles"] = 1.0
    """Of this model among those that are averaged, at all tiles or at each; they sum to 1."""
    expression: Float[np.ndarray, "n_spots n_genes"] | None = None
    """What was measured at the training spots."""

    def weight_at(self, tile: int) -> float:
        """Return the weight at tile number `tile`."""
        return float(np.broadcast_to(self.weight, len(self.tiles))[tile])


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The measured spots that a prediction leans on most."""

    rows: Int[np.ndarray, "n_tiles n"]
    """Training spots, as `Retrieval` counts them; the one of largest weight first."""
    weights: Float[np.ndarray, "n_tiles n"]
    """Of the tile's prediction that comes from retrieval, over all models."""
    cosine: Float[np.ndarray, "n_tiles n"]
    """Between the embeddings of tile and spot, averaged over the models by weight."""


def strongest(retrievals: Sequence[Retrieval], *, n: int) -> Neighbours:
    """Return the `n` spots of largest weight for each tile, over all models; among equals the more alike first.

    Parameters
    ----------
    retrievals
        Of one method's models for the same tiles and training spots.
    n
        How many, or as many as were found for every tile.

    Raises
    ------
    InputError
        If there is no retrieval: the method keeps no spots.
    """
    if not retrievals:
        msg = "a method that retrieves measured spots expected, found one that keeps none: fit mclstexp, bleep or knn"
        raise InputError(msg)
    found = [_one_tile(retrievals, tile, n=n) for tile in range(len(retrievals[0].tiles))]
    least = min((len(rows) for rows, *_ in found), default=0)
    rows, weights, cosine = (np.stack([part[i][:least] for part in found]) for i in range(3))
    return Neighbours(rows=rows, weights=weights.astype(np.float32), cosine=cosine.astype(np.float32))


def joined(
    retrievals: Sequence[Retrieval],
) -> Iterator[tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]]:
    """Go through the tiles: training spots found by any model, each once, and the weight of each over all models."""
    for tile in range(len(retrievals[0].tiles)):
        yield _joined(retrievals, tile)


def _joined(retrievals: Sequence[Retrieval], tile: int) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    all_rows = np.concatenate([part.rows[tile] for part in retrievals])
    all_shares = np.concatenate([part.weight_at(tile) * part.shares[tile].astype(np.float64) for part in retrievals])
    rows, place = np.unique(all_rows, return_inverse=True)
    return rows, np.bincount(place, weights=all_shares)


def _one_tile(retrievals: Sequence[Retrieval], tile: int, *, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (spots, weights, cosines) of one tile, strongest first."""
    rows, weights = _joined(retrievals, tile)
    cosine = sum(part.weight_at(tile) * _cosine(part.tiles[tile], part.spots[rows]) for part in retrievals)
    # weights that differ by rounding alone are equal
    order = np.lexsort((-np.asarray(cosine), -np.round(weights, 9)))[:n]
    return rows[order], weights[order], np.asarray(cosine)[order]


def _cosine(tile: Float[np.ndarray, " dim"], spots: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, " n"]:
    lengths = np.linalg.norm(spots, axis=1) * np.linalg.norm(tile)
    return (spots @ tile) / np.where(lengths > 0, lengths, 1)
