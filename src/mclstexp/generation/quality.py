"""How good painted tiles are: as a crowd, one by one, and whether they were learnt by heart."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.generation.contact_sheet import sheet_of
from mclstexp.sight.embed import embed_tiles

N_COMPONENTS: Final = 64
"""Principal components in which crowds are compared: a distance of many features is mostly noise."""
_LEAST_SPREAD: Final = 1e-6


def features_of_pictures(
    pictures: UInt8[np.ndarray, "n side side 3"], *, mpp: float, spec: TileSpec, encoder: str
) -> Float[np.ndarray, "n dim"]:
    """Return frozen features of pictures, brought to the size that the encoder is shown elsewhere.

    A picture of fewer pixels is softer than the tile it stands for, and so are its features: compare with those of
    real tiles that went the same way.
    """
    return embed_tiles(sheet_of(pictures, mpp=mpp, id="pictures", spec=spec), encoder)


def frechet_distance(a: Float[np.ndarray, "n dim"], b: Float[np.ndarray, "m dim"]) -> float:
    """Return the Fréchet distance of two crowds, each taken as normal (Heusel and others 2017, of any features).

    |μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2 (Σ₁^½ Σ₂ Σ₁^½)^½). It is too large by about dim / n: compare crowds of one size,
    and with the distance of two halves of real tiles.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if min(len(a), len(b)) < 2:
        msg = f"two or more rows on both sides expected for a distance of crowds, found {len(a)} and {len(b)}"
        raise InputError(msg)
    one, two = (np.atleast_2d(np.cov(part, rowvar=False)) for part in (a, b))
    root = _root(one)
    both = np.sqrt(np.clip(np.linalg.eigvalsh(root @ two @ root), 0, None)).sum()
    return float(((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() + np.trace(one) + np.trace(two) - 2 * both)


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def components(
    fitted_on: Float[np.ndarray, "n dim"], *crowds: Float[np.ndarray, "_ dim"], n: int = N_COMPONENTS
) -> list[Float[np.ndarray, "_ n_components"]]:
    """Return crowds in the principal components of z-scored features of real tiles, at most half as many as those."""
    centre, spread = fitted_on.mean(axis=0), np.maximum(fitted_on.std(axis=0), _LEAST_SPREAD)
    axes = np.linalg.svd((fitted_on - centre) / spread, full_matrices=False)[2][: min(n, len(fitted_on) // 2)]
    return [((crowd - centre) / spread) @ axes.T for crowd in crowds]


def density_and_coverage(
    real: Float[np.ndarray, "n dim"], made: Float[np.ndarray, "m dim"], *, k: int = 5
) -> tuple[float, float]:
    """Return how densely made tiles lie among real ones, and how many real ones have one near (Naeem and others 2020).

    Near is within the distance of a real tile to its k-th real neighbour. Ten tiles learnt by heart are dense, and
    cover little.
    """
    radius = cKDTree(real).query(real, k=k + 1)[0][:, -1]
    distance = np.linalg.norm(real[:, None] - made[None, :], axis=-1)
    near = distance <= radius[:, None]
    return float(near.sum() / (k * len(made))), float(near.any(axis=1).mean())


def similarity(
    asked: Float[np.ndarray, "n dim"], found: Float[np.ndarray, "n dim"], *, like: Float[np.ndarray, "m dim"]
) -> Float[np.ndarray, " n"]:
    """Return the cosine of each row asked for and found, as z-scores among real tiles `like`.

    Pooled features are all positive: as they come, any two tiles have a cosine near 0.9.
    """
    centre, spread = like.mean(axis=0), np.maximum(like.std(axis=0), _LEAST_SPREAD)
    one, two = ((part - centre) / spread for part in (asked, found))
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    return (one * two).sum(axis=1) / np.maximum(lengths, _LEAST_SPREAD)


def share_by_heart(
    training: Float[np.ndarray, "n dim"], held_out: Float[np.ndarray, "m dim"], made: Float[np.ndarray, "l dim"]
) -> float:
    """Return the share of made tiles that lie nearer to a training tile than 95 % of held-out tiles do.

    0.05 is what new tissue does; 1 is a copy each time.
    """
    tree = cKDTree(training)
    near = np.quantile(tree.query(held_out)[0], 0.05)
    return float((tree.query(made)[0] < near).mean())
