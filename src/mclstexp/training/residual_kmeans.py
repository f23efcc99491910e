"""Codebooks of rows that are at hand all at once: k-means of each level on what those before it left over."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

from mclstexp.nn.codebook import Codebook
from mclstexp.nn.quantise import Quantiser

MOST_FULL = 20_000
"""Rows up to which components come from a full decomposition."""


@dataclass(frozen=True, eq=False)
class Directions:
    """An affine map of rows to a few numbers each, in which they are quantised."""

    coef: Float[np.ndarray, "n_features dim"]
    """Matrix, float64."""
    intercept: Float[np.ndarray, " dim"]
    """What is added."""

    @classmethod
    def principal(cls, rows: Float[np.ndarray, "n n_features"], n_components: int, *, standardise: bool) -> Directions:
        """Return principal components, of columns brought to unit variance first if that is wanted.

        Parameters
        ----------
        rows
            Of training.
        n_components
            How many (fewer where there are fewer rows or columns).
        standardise
            Whether columns are brought to one scale.
        """
        rows = rows.astype(np.float64)
        centre = rows.mean(axis=0)
        spread = rows.std(axis=0) if standardise else np.ones_like(centre)
        spread[spread == 0] = 1
        solver = "full" if len(rows) <= MOST_FULL else "covariance_eigh"  # neither needs a seed
        pca = PCA(min(n_components, *rows.shape), svd_solver=solver)
        with np.errstate(invalid="ignore"):  # rows that are all the same vary by no share
            pca.fit((rows - centre) / spread)
        coef = pca.components_.T / spread[:, None]
        return cls(coef, -(centre + pca.mean_ * spread) @ coef)

    def apply(self, rows: Float[np.ndarray, "n n_features"]) -> Float[np.ndarray, "n dim"]:
        """Return the few numbers of each row, float32; one row's do not depend on the others by more than that."""
        return (rows.astype(np.float64) @ self.coef + self.intercept).astype(np.float32)


def fit_quantiser(
    rows: Float[np.ndarray, "n dim"],
    sizes: Sequence[int],
    *,
    weights: Float[np.ndarray, " n"] | None = None,
    seed: int = 0,
    n_starts: int = 4,
) -> Quantiser:
    """Fit codebooks level by level, each code in the order of how much it stands for.

    Parameters
    ----------
    rows
        Of training.
    sizes
        Codes of each level, coarse to fine (fewer where there are fewer different rows).
    weights
        How much each row counts; all alike by default.
    seed, n_starts
        Of k-means: the best of so many starts is kept.

    Raises
    ------
    InputError
        As `Quantiser`.
    """
    weights = np.ones(len(rows)) if weights is None else weights
    left, levels = rows.astype(np.float64), []
    for size in sizes:
        size_here = min(size, len(np.unique(left, axis=0)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # rows that differ by rounding alone
            means = KMeans(size_here, n_init=n_starts, random_state=seed).fit(left, sample_weight=weights)
        stands_for = np.bincount(means.labels_, weights=weights, minlength=size_here)
        order = np.argsort(-stands_for, kind="stable")
        levels.append((means.cluster_centers_[order], stands_for[order]))
        left = left - means.cluster_centers_[means.labels_]
    return quantiser_of([codes for codes, _ in levels])


def quantiser_of(levels: Sequence[Float[np.ndarray, "_ dim"]]) -> Quantiser:
    """Return a quantiser with these codes, which learns nothing more."""
    quantiser = Quantiser([len(codes) for codes in levels], levels[0].shape[1]).eval()
    for book, codes in zip(quantiser.books(), levels, strict=True):
        book.codes.copy_(torch.as_tensor(codes, dtype=torch.float32))
        book.started.fill_(value=True)
    return quantiser


def levels_of(quantiser: Quantiser) -> list[Float[np.ndarray, "_ dim"]]:
    """Return the codes of each level."""
    return [book.codes.numpy() for book in quantiser.books() if isinstance(book, Codebook)]


def quantise(
    quantiser: Quantiser, rows: Float[np.ndarray, "n dim"]
) -> tuple[Int[np.ndarray, "n n_levels"], Float[np.ndarray, " n"]]:
    """Return each row's codes, and how far (Euclid) it lies from what they say."""
    with torch.inference_mode():
        given = torch.as_tensor(rows)
        found = quantiser(given)
        return found.codes.numpy(), (given - found.values).norm(dim=1).numpy()
