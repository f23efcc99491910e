"""Noise on pictures and the way back: the schedule of latent diffusion, its loss, DDIM, guidance.

Schedule and guidance as released with Graikos and others (2312.07330); DDIM by Song and others (2021).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

N_TIMES: Final = 1000
"""Times 0 … 999, from hardly any noise to hardly anything else."""
_FIRST, _LAST = 0.0015, 0.0195

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""Noise of (n, …) values at (n,) times."""


def noise_betas() -> Float[np.ndarray, " 1000"]:
    """Return how much noise each step adds: linear in the square root from 0.0015 to 0.0195."""
    return np.linspace(_FIRST**0.5, _LAST**0.5, N_TIMES) ** 2


def noise_kept() -> Float[np.ndarray, " 1000"]:
    """Return the share of variance that is still signal at each time."""
    return np.cumprod(1 - noise_betas())


def noised(
    clean: Float[Tensor, "n ..."], noise: Float[Tensor, "n ..."], time: Int[Tensor, " n"]
) -> Float[Tensor, "n ..."]:
    """Lay noise on values, each as at its time."""
    kept = torch.tensor(noise_kept(), dtype=torch.float32, device=clean.device)[time]
    kept = kept.view(-1, *[1] * (clean.dim() - 1))
    return kept.sqrt() * clean + (1 - kept).sqrt() * noise


def stops(n_steps: int) -> Int[np.ndarray, " n_steps"]:
    """Return the times at which a way of some steps stops, from late to early: 981, 961, … 1 of 50.

    Raises
    ------
    ValueError
        If there are more steps than times.
    """
    if not 1 <= n_steps < N_TIMES:
        msg = f"1 to {N_TIMES - 1} steps expected, found {n_steps}"
        raise ValueError(msg)
    return (1 + np.arange(n_steps) * (N_TIMES // n_steps))[::-1].copy()


def clean_guess(values: Tensor, noise: Tensor, kept: float) -> Tensor:
    """Return what is left of values when their noise is taken off."""
    return (values - (1 - kept) ** 0.5 * noise) / kept**0.5


def ddim_step(
    values: Tensor, noise: Tensor, *, kept: float, kept_next: float, eta: float = 0.0, fresh: Tensor | None = None
) -> Tensor:
    """Go from one stop to the next.

    Parameters
    ----------
    values, noise
        Where it stands, and the noise that is said to lie on it.
    kept, kept_next
        Share of signal here and at the next stop.
    eta
        0: without chance; 1: as much fresh noise as the schedule asks for over the whole stride. (The release adds that
        of one single time, 0.0195 where 0.32 is due over a stride of 20 from 999.)
    fresh
        (like values) standard normal numbers, needed where `eta` is not 0.
    """
    variance = eta**2 * (1 - kept_next) / (1 - kept) * (1 - kept / kept_next)
    clean = clean_guess(values, noise, kept)
    found = kept_next**0.5 * clean + (1 - kept_next - variance) ** 0.5 * noise
    return found if fresh is None else found + variance**0.5 * fresh


def guided(
    noise_of: Callable[[Tensor, Tensor, Tensor], Tensor], context: Tensor, nothing: Tensor, *, guidance: float
) -> Denoiser:
    """Return a denoiser that goes `guidance` times as far from "no condition" as the condition does; 1: just there.

    Parameters
    ----------
    noise_of
        Network of (values, times, context).
    context, nothing
        (n, n_tokens, context_dim) tokens of each value, and (1, n_tokens, context_dim) of no condition.
    guidance
        The release calls it s of tiles, and w = s - 1 of large pictures.
    """

    def denoise(values: Tensor, time: Tensor) -> Tensor:
        told = noise_of(values, time, context)
        if guidance == 1:
            return told
        untold = noise_of(values, time, nothing.expand(len(values), -1, -1))
        return untold + guidance * (told - untold)

    return denoise


def sample(denoise: Denoiser, start: Float[Tensor, "n ..."], *, n_steps: int) -> Float[Tensor, "n ..."]:
    """Go from noise to clean values without chance.

    Parameters
    ----------
    denoise
        Says which noise lies on values.
    start
        Standard normal numbers.
    n_steps
        Stops on the way.
    """
    values, kept = start, noise_kept()
    way = [*stops(n_steps).tolist(), 0]
    for at, to in pairwise(way):
        time = torch.full((len(values),), at, device=values.device)
        values = ddim_step(values, denoise(values, time), kept=float(kept[at]), kept_next=float(kept[to]))
    return values
