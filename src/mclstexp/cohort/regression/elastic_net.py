"""The elastic net on any likelihood: few columns, by proximal Newton steps along a path of penalties."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float

from mclstexp.cohort.regression.likelihood import Design, Likelihood
from mclstexp.cohort.regression.ridge import ridge, solve

N_STEPS: Final = 50
LEAST: Final = 0.01
"""The smallest penalty of a path, by its largest."""
TOLERANCE: Final = 1e-7
"""How far a coefficient may still move, by the standard deviation of the scores that it moves."""
_MAX_STEPS: Final = 50


def penalty_path(
    likelihood: Likelihood, design: Design, *, l1_ratio: float, free: Float[np.ndarray, " p"]
) -> Float[np.ndarray, " n_steps"]:
    """Return penalties from the one at which no held column counts down to a hundredth of it, evenly in logarithm.

    Parameters
    ----------
    likelihood
        Of the outcomes.
    design
        (n, p) columns.
    l1_ratio
        Share of the penalty that is on absolute values.
    free
        (p,) 1 for a column without penalty, else 0.
    """
    gradient = likelihood.slope(design, design @ _null(likelihood, design, free)).gradient
    largest = float(np.abs(gradient * (1 - free)).max()) / (len(design) * l1_ratio)
    return largest * (1 + 1e-9) * np.geomspace(1, LEAST, N_STEPS)  # rounding lets no column in


def elastic_net(
    likelihood: Likelihood,
    design: Design,
    penalties: Float[np.ndarray, " n_steps"],
    *,
    l1_ratio: float,
    free: Float[np.ndarray, " p"],
) -> Float[np.ndarray, "n_steps p"]:
    """Minimise -ℓ(β)/n + a (r ‖β‖₁ + (1-r)/2 ‖β‖²) for each penalty a, over the columns that are not free.

    Parameters
    ----------
    penalties
        a, falling: each starts from the solution of the one before.
    likelihood, design, l1_ratio, free
        As for `penalty_path`; l1_ratio is r.

    Returns
    -------
    (n_steps, p) coefficients.
    """
    beta, found = _null(likelihood, design, free), []
    for penalty in penalties:
        l1, l2 = penalty * l1_ratio * (1 - free), penalty * (1 - l1_ratio) * (1 - free)
        beta = _descend(likelihood, design, beta, l1, l2)
        found.append(beta)
    return np.array(found)


def _null(likelihood: Likelihood, design: Design, free: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
    beta = np.zeros(design.shape[1])
    if free.any():
        beta[free > 0] = ridge(likelihood, design[:, free > 0], np.zeros(int(free.sum())))
    return beta


def _descend(
    likelihood: Likelihood,
    design: Design,
    beta: Float[np.ndarray, " p"],
    l1: Float[np.ndarray, " p"],
    l2: Float[np.ndarray, " p"],
) -> Float[np.ndarray, " p"]:
    n = len(design)

    def cost(at: Float[np.ndarray, " p"]) -> float:
        return -likelihood.value(design @ at) / n + float(l1 @ np.abs(at) + 0.5 * l2 @ at**2)

    now = cost(beta)
    for _ in range(_MAX_STEPS):
        slope = likelihood.slope(design, design @ beta)
        step = _minimum(beta, -slope.gradient / n, slope.information / n, l1, l2) - beta
        share = 1.0
        while share > 1e-9 and cost(beta + share * step) > now + 1e-14:
            share /= 2
        moved = share * np.sqrt(np.maximum(np.diag(slope.information) / n, 0)) * np.abs(step)
        beta = beta + share * step
        now = cost(beta)
        if moved.max(initial=0) < TOLERANCE:
            break
    return beta


def _minimum(
    start: Float[np.ndarray, " p"],
    gradient: Float[np.ndarray, " p"],
    curvature: Float[np.ndarray, "p p"],
    l1: Float[np.ndarray, " p"],
    l2: Float[np.ndarray, " p"],
) -> Float[np.ndarray, " p"]:
    """Minimise the quadratic with these derivatives at `start` and both penalties: exactly, by columns that count.

    While the signs of those that count are right, the minimum over them is a linear system. On the way to it the first
    that would change its sign is dropped; at it the one that pulls most is let in.
    """
    square, pull = curvature + np.diag(l2), curvature @ start - gradient
    beta, sign = start.copy(), np.sign(start)
    counts = (start != 0) | (l1 == 0)
    for _ in range(20 * len(start) + 100):
        on = np.flatnonzero(counts)
        wanted = solve(square[np.ix_(on, on)], pull[on] - l1[on] * sign[on])
        turned = (wanted * sign[on] < 0) & (l1[on] > 0)
        if turned.any():
            part = beta[on][turned] / (beta[on][turned] - wanted[turned])
            beta[on] += part.min() * (wanted - beta[on])
            gone = on[turned][part.argmin()]
            beta[gone], sign[gone], counts[gone] = 0.0, 0.0, False
            continue
        beta[on] = wanted
        left = pull - square @ beta
        over = np.where(counts, 0.0, np.abs(left) - l1)
        most = int(over.argmax())
        if over[most] <= TOLERANCE * (1 + l1[most]):
            break
        counts[most], sign[most] = True, np.sign(left[most])
    return beta
