"""Ridge regression on any likelihood, by Newton's method with steps that are halved until they help."""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from mclstexp.cohort.regression.likelihood import Design, Likelihood

MAX_STEPS: Final = 100
TOLERANCE: Final = 1e-12
"""What a step must promise to gain, by the size of the log-likelihood, to be taken."""
_MOST_SCORE: Final = 50.0
"""Beyond it the outcomes are told apart without error, and coefficients would grow for ever."""


def ridge(likelihood: Likelihood, design: Design, penalty: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
    """Minimise -ℓ(β) + ½ Σ λₖ βₖ².

    Parameters
    ----------
    likelihood
        Of the outcomes.
    design
        (n, p) columns.
    penalty
        (p,) λ of each column; 0 leaves it free.

    Returns
    -------
    (p,) coefficients. Where there are more penalised columns than patients they lie in the space that the patients
    span, in which the same minimum is found.
    """
    held = penalty > 0
    if held.sum() <= len(design):
        return _newton(likelihood, design, penalty)
    scale = np.sqrt(penalty[held])
    left, values, right = np.linalg.svd(design[:, held] / scale, full_matrices=False)
    rotated = np.column_stack([design[:, ~held], left * values])
    n_free = int((~held).sum())
    found = _newton(likelihood, rotated, np.concatenate([np.zeros(n_free), np.ones(len(values))]))
    coefficients = np.empty(len(penalty))
    coefficients[~held] = found[:n_free]
    coefficients[held] = found[n_free:] @ right / scale
    return coefficients


def _newton(likelihood: Likelihood, design: Design, penalty: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
    beta = np.zeros(design.shape[1])
    goal = likelihood.value(design @ beta)
    for _ in range(MAX_STEPS):
        slope = likelihood.slope(design, design @ beta)
        gradient = slope.gradient - penalty * beta
        step = solve(slope.information + np.diag(penalty), gradient)
        if gradient @ step <= TOLERANCE * (1 + abs(goal)):
            return beta + step if np.abs(design @ (beta + step)).max(initial=0) < _MOST_SCORE else beta
        share, gained = 1.0, -np.inf
        while share > 1e-9:
            tried = beta + share * step
            scores = design @ tried
            gained = likelihood.value(scores) - 0.5 * float(penalty @ tried**2)
            if gained > goal and np.abs(scores).max() < _MOST_SCORE:
                break
            share /= 2
        else:
            break
        beta, goal = tried, gained
    if np.abs(design @ beta).max(initial=0) > _MOST_SCORE / 2:
        text = "columns without penalty tell the outcomes of the training patients apart without error: their "
        warnings.warn(
            f"{text}coefficients are as large as they could be told; use fewer, or penalise them", stacklevel=4
        )
    return beta


def solve(matrix: Float[np.ndarray, "p p"], right: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
    """Solve a symmetric system, in least squares where columns say the same."""
    try:
        return cho_solve(cho_factor(matrix), right) if len(right) else right
    except LinAlgError:  # columns without penalty that say the same
        return np.linalg.lstsq(matrix, right, rcond=1e-10)[0]
