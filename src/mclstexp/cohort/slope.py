"""The calibration slope: whether risks are spread as far as outcomes are."""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from mclstexp.cohort.regression.cox import Cox
from mclstexp.cohort.regression.likelihood import Gaussian, Likelihood, Logistic
from mclstexp.cohort.regression.ridge import ridge
from mclstexp.cohort.survival.concordance import harrell, within_folds
from mclstexp.core.cohort import Outcomes


def calibration_slope(outcomes: Outcomes, risk: Float[np.ndarray, " n"], *, fold: ArrayLike) -> float:
    """Return the coefficient with which test patients' outcomes follow the risks that were foretold.

    1 is ideal; below 1 the risks are spread too far, as those of a model that learnt noise.

    Parameters
    ----------
    outcomes
        Of the test patients.
    risk
        Log hazards, log odds, or numbers, as the model foretold them.
    fold
        (n,) the fold of each, which has a baseline of its own.

    Returns
    -------
    NaN without events, where risks do not differ, or where they tell outcomes apart without error.
    """
    folds = np.unique(np.asarray(fold), return_inverse=True)[1]
    spread = risk.std()
    if not outcomes.n_events or not spread > 0:
        return np.nan
    column = ((risk - risk.mean()) / spread)[:, None]
    likelihood: Likelihood
    if outcomes.time is not None and outcomes.event is not None:
        at = [folds == fold for fold in range(folds.max() + 1)]
        ranked = within_folds(harrell(outcomes.time[rows], outcomes.event[rows], risk[rows]) for rows in at)
        if ranked.c in (0.0, 1.0):  # every pair in order: no slope is steep enough, however many steps are taken
            return np.nan
        likelihood, design = Cox(outcomes.time, outcomes.event, folds), column
    else:
        assert outcomes.value is not None
        likelihood = (Logistic if outcomes.kind == "binary" else Gaussian)(outcomes.value)
        design = np.column_stack([column, np.eye(folds.max() + 1)[folds]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = ridge(likelihood, design, np.zeros(design.shape[1]))[0]
        except UserWarning:  # without error: no slope is steep enough
            return np.nan
    return float(found / spread)
