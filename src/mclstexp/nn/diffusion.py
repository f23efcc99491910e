"""The cosine schedule of diffusion (Nichol and Dhariwal 2021), and the step back from a guess of the clean values."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

_OFFSET: Final = 0.008
_MOST: Final = 0.999


class Posterior(NamedTuple):
    """What stands one step before, given clean values x₀ and noised x_t: a mean of both, and a variance."""

    of_clean: Float[np.ndarray, " n_steps"]
    """Weight of x₀."""
    of_noised: Float[np.ndarray, " n_steps"]
    """Weight of x_t."""
    variance: Float[np.ndarray, " n_steps"]
    """0 at the first step."""


def cosine_betas(n_steps: int) -> Float[np.ndarray, " n_steps"]:
    """Return how much noise each step adds: 1 - f((i + 1) / n) / f(i / n), at most 0.999."""
    kept = cosine_kept(np.arange(n_steps + 1) / n_steps)
    return np.minimum(1 - kept[1:] / kept[:-1], _MOST)


def cosine_kept(share: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return how much of the variance is still signal at a share of the way, cos² up to a factor: about 1 at 0."""
    return np.cos((share + _OFFSET) / (1 + _OFFSET) * math.pi / 2) ** 2


def posterior(betas: Float[np.ndarray, " n_steps"]) -> Posterior:
    """Return the step back for a schedule."""
    kept = np.cumprod(1 - betas)
    before = np.concatenate([[1.0], kept[:-1]])
    return Posterior(
        of_clean=betas * np.sqrt(before) / (1 - kept),
        of_noised=(1 - before) * np.sqrt(1 - betas) / (1 - kept),
        variance=betas * (1 - before) / (1 - kept),
    )
