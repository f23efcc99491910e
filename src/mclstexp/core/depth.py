"""Sequencing depth, and what is left of maps when it is taken out.

Depth follows the density of cells, which is easily seen in an image and moves most genes at once.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from mclstexp.core.pearson import Values, constant_truth

CURVE: Final = 3
"""Powers of log depth that bend as a gene's mean logarithm bends where the same share is counted ever deeper."""
Patterns = Float[np.ndarray, "n_spots n_given"]
"""Orthonormal columns, none with a mean."""


def depth_patterns(depth: Float[np.ndarray, " n_spots"], *, powers: int = 1) -> Patterns:
    """Return what can be said of a spot by powers of its log depth.

    Parameters
    ----------
    depth
        (n_spots,) ln(1 + total count) of each spot.
    powers
        1 for a line, `CURVE` for a curve.

    Returns
    -------
    (n_spots, at most `powers`), fewer where fewer depths differ: none where all are equal.
    """
    if constant_truth(depth[:, None])[0]:
        return np.zeros((len(depth), 0))
    line = (depth - depth.mean()) / depth.std()
    columns = np.stack([line**power for power in range(powers + 1)], axis=1)
    patterns, upper = np.linalg.qr(columns)
    size = np.linalg.norm(columns, axis=0)
    return patterns[:, 1:][:, np.abs(np.diag(upper))[1:] > 1e-9 * size[1:]]


def beyond(values: Values, patterns: Patterns) -> tuple[Values, Bool[np.ndarray, " n_genes"]]:
    """Take out of each gene its mean and what patterns explain of it.

    Parameters
    ----------
    values
        (n_spots, n_genes).
    patterns
        Of `depth_patterns`.

    Returns
    -------
    (n_spots, n_genes) what is left, in double precision; and (n_genes,) where that is more than the rounding of
    single-precision arithmetic.
    """
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    rest = centred.copy()
    for pattern in patterns.T[:, :, None]:
        # no product of matrices: what it rounds depends on how many genes stand side by side
        rest -= pattern * (pattern * centred).sum(axis=0)
    rounding = 3e-7 * np.abs(values).max(axis=0, initial=0) * np.sqrt(len(values))
    return rest, np.linalg.norm(rest, axis=0) > np.maximum(rounding, 1e-6 * np.linalg.norm(centred, axis=0))
