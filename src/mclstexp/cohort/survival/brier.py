"""The Brier score of survival: how far foretold shares lie from what came, at times and over them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from mclstexp.cohort.survival.follow_up import Steps, checked
from mclstexp.core.errors import InputError


def brier(
    time: ArrayLike, event: ArrayLike, survival: ArrayLike, *, at: ArrayLike, censoring: Steps
) -> Float[np.ndarray, " n_times"]:
    """Return the Brier score at times, as if nobody had been lost from sight (Graf and others 1999).

    Parameters
    ----------
    time, event
        (n,) of the test patients.
    survival
        (n, n_times) foretold shares without an event.
    at
        (n_times,) when.
    censoring
        G, of the training patients. Where it is 0 nothing is counted.

    Raises
    ------
    InputError
        If the shares do not fit patients and times, or as `follow_up.checked`.
    """
    times, events = checked(time, event)
    when, said = np.atleast_1d(np.asarray(at, np.float64)), np.asarray(survival, np.float64)
    if said.shape != (len(times), len(when)) or not ((said >= 0) & (said <= 1)).all():
        msg = f"shares from 0 to 1 of {len(times)} patients at {len(when)} times expected, found shape {said.shape}"
        raise InputError(msg)
    own, then = censoring.at(times), censoring.at(when)
    over = np.divide(1.0, own, out=np.zeros_like(own), where=own > 0)[:, None]
    later = np.divide(1.0, then, out=np.zeros_like(then), where=then > 0)[None, :]
    gone = (times[:, None] <= when) & events[:, None]
    left = times[:, None] > when
    return np.where(gone, said**2 * over, 0.0).mean(axis=0) + np.where(left, (1 - said) ** 2 * later, 0.0).mean(axis=0)


def integrated_brier(scores: Float[np.ndarray, " n_times"], *, at: ArrayLike) -> float:
    """Average Brier scores over time by the trapezium rule; of a single time it is that score."""
    when = np.atleast_1d(np.asarray(at, np.float64))
    return float(np.trapezoid(scores, when) / (when[-1] - when[0])) if len(when) > 1 else float(scores[0])
