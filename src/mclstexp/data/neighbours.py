"""Who lies near whom on a section, in µm: for attention among spots and for the context of tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.spatial import KDTree

from mclstexp.data.disc_means import disc_means

MOST_PAIRS: Final = 2**22
"""Entries of a graph of neighbours that is made for a mean: 4 million, about 200 MiB while it is made."""
_SAMPLE = 1000


@dataclass(frozen=True)
class Neighbourhood:
    """For each spot itself and its nearest neighbours, itself first."""

    index: Int[np.ndarray, "n_spots n_tokens"]
    """Rows of the neighbours; the spot's own row where there are fewer."""
    offset_um: Float[np.ndarray, "n_spots n_tokens 2"]
    """Where each neighbour lies seen from the spot."""
    present: Bool[np.ndarray, "n_spots n_tokens"]
    """False where a spot has fewer neighbours within reach."""


def find_neighbours(xy_um: Float[np.ndarray, "n_spots 2"], *, n_neighbours: int, radius_um: float) -> Neighbourhood:
    """Find each spot's nearest neighbours on its section.

    Parameters
    ----------
    xy_um
        (n_spots, 2) positions on one section.
    n_neighbours
        At most so many besides the spot itself, the nearest first; ties go to the smaller offset (x, then y),
        so that the result does not depend on the order of rows.
    radius_um
        Nobody farther than this is a neighbour; infinite where distance does not matter.
    """
    n_spots = len(xy_um)
    tree = KDTree(xy_um)
    # no farther than the last one needed, and all that tie with it: a wide radius costs no more than a narrow one
    farthest = tree.query(xy_um, k=[min(n_neighbours + 1, n_spots)])[0][:, 0]
    radius = np.minimum(radius_um, farthest + 1e-3)
    index = np.repeat(np.arange(n_spots)[:, None], n_neighbours + 1, axis=1)
    offset = np.zeros((n_spots, n_neighbours + 1, 2), np.float32)
    present = np.zeros((n_spots, n_neighbours + 1), bool)
    present[:, 0] = True
    for i, near in enumerate(tree.query_ball_point(xy_um, radius)):
        others = np.array([j for j in near if j != i], dtype=np.intp)
        away = xy_um[others] - xy_um[i]
        order = np.lexsort((away[:, 1], away[:, 0], np.round(np.hypot(*away.T), 3)))[:n_neighbours]
        n_found = len(order)
        index[i, 1 : n_found + 1] = others[order]
        offset[i, 1 : n_found + 1] = away[order]
        present[i, 1 : n_found + 1] = True
    return Neighbourhood(index=index, offset_um=offset, present=present)


def adjacency(xy_um: Float[np.ndarray, "n_spots 2"], *, radius_um: float) -> sparse.csr_matrix:
    """Return the sparse (n_spots, n_spots) matrix with 1 where two different spots lie within `radius_um`."""
    pairs = KDTree(xy_um).query_pairs(radius_um, output_type="ndarray")
    n_spots = len(xy_um)
    rows, columns = np.concatenate([pairs, pairs[:, ::-1]]).T if len(pairs) else np.zeros((2, 0), int)
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(n_spots, n_spots))


def mean_of_neighbours(
    features: Float[np.ndarray, "n_tiles dim"],
    xy_um: Float[np.ndarray, "n_tiles 2"],
    *,
    radius_um: float,
    array_xy: Float[np.ndarray, "n_tiles 2"] | None = None,
) -> Float[np.ndarray, "n_tiles dim"]:
    """Average the features of all other tiles whose centres lie within `radius_um`.

    A tile without any keeps its own features: its surroundings are unknown, itself is the best guess. Where there are
    more than `MOST_PAIRS` pairs of neighbours their graph is not made, and `disc_means` gives the same result.

    Parameters
    ----------
    features
        (n_tiles, dim) of one section.
    xy_um
        (n_tiles, 2) their centres.
    radius_um
        Who lies so near, or nearer, counts.
    array_xy
        (n_tiles, 2) (array column, array row), where there is an array: it makes large sections quicker.
    """
    if _n_pairs(xy_um, radius_um) > MOST_PAIRS:
        return disc_means(features, xy_um, radius_um=radius_um, array_xy=array_xy)
    weights = adjacency(xy_um, radius_um=radius_um)
    n_near = np.asarray(weights.sum(axis=1))
    mean = weights @ features.astype(np.float64) / np.maximum(n_near, 1)
    return np.where(n_near > 0, mean, features).astype(np.float32)


def _n_pairs(xy_um: Float[np.ndarray, "n_tiles 2"], radius_um: float) -> float:
    """Estimate the number of pairs that lie near each other, from some of the tiles."""
    some = xy_um[:: max(1, len(xy_um) // _SAMPLE)]
    n_near = KDTree(xy_um).query_ball_point(some, radius_um, return_length=True)
    return float(np.mean(n_near)) * len(xy_um)
