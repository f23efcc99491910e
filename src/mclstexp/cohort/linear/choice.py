"""Penalties are chosen by what was not fitted: the likelihood of inner folds of the training patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

from mclstexp.cohort.regression.elastic_net import elastic_net, penalty_path
from mclstexp.cohort.regression.likelihood import Design, Likelihood
from mclstexp.cohort.regression.ridge import ridge

Rows = Int[np.ndarray, " _"]
Fit = Callable[[Likelihood, Design], Float[np.ndarray, "n_choices p"]]


def ridges(penalties: Sequence[Float[np.ndarray, " p"]]) -> Fit:
    """Return what fits a ridge of each of these penalties."""
    return lambda likelihood, design: np.array([ridge(likelihood, design, penalty) for penalty in penalties])


def net(likelihood: Likelihood, design: Design, *, l1_ratio: float, free: Float[np.ndarray, " p"]) -> Fit:
    """Return what fits elastic nets along the path that these patients have."""
    path = penalty_path(likelihood, design, l1_ratio=l1_ratio, free=free)
    return lambda some, columns: elastic_net(some, columns, path, l1_ratio=l1_ratio, free=free)


def choose(
    fit: Fit, likelihood: Likelihood, design: Design, folds: Sequence[Rows]
) -> tuple[Float[np.ndarray, " p"], int]:
    """Fit all choices, and return the one that says most of patients who were left out.

    What a fit says of them is the log-likelihood of all less that of those it learnt from: of survival, too, where
    those left out are compared with all, as a small fold alone has few to compare (van Houwelingen et al. 2006).

    Parameters
    ----------
    fit
        Returns coefficients for each choice, the one that holds back most first.
    likelihood, design
        Of the training patients.
    folds
        Rows that are left out in turn; none where there is no choice.

    Returns
    -------
    The coefficients, and the number of the choice; of two that are alike the first.
    """
    whole = fit(likelihood, design)
    if len(whole) == 1:
        return whole[0], 0
    gained = np.zeros(len(whole))
    for out in folds:
        kept = np.setdiff1d(np.arange(len(design)), out)
        learnt = likelihood.of(kept)
        for number, beta in enumerate(fit(learnt, design[kept])):
            scores = design @ beta
            gained[number] += likelihood.value(scores) - learnt.value(scores[kept])
    best = int(np.argmax(gained))
    return whole[best], best
