"""Entropic transport between two small sets: unbalanced, as MMP joins its tokens, and balanced, as it makes them."""

from __future__ import annotations

import math
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

_ROUNDS: Final = 100
"""Each brings the plan closer by (5/6)²: after a hundred nothing moves in 16 digits. A number of rounds that followed
from the slowest patient would make a patient's plan depend on who is asked with it."""


def unbalanced_plan(
    cost: Float[Tensor, "*n a b"], *, entropy: float = 0.1, marginal: float = 0.5
) -> Float[Tensor, "*n a b"]:
    """Return the plan that moves uniform mass over rows to uniform mass over columns, both loosely kept.

    Scaling iterations of Chizat et al. 2018 against the product of the marginals, with Kullback-Leibler penalties; in
    double precision. Gradients flow through them.

    Parameters
    ----------
    cost
        What it costs to move from row to column, between 0 and 1.
    entropy, marginal
        Strengths of the entropy and of the penalty on either marginal.
    """
    a, b = cost.shape[-2:]
    kernel = (-cost.double() / entropy).exp() / (a * b)
    power = marginal / (marginal + entropy)
    over = torch.ones_like(kernel[..., 0, :])
    for _ in range(_ROUNDS):
        under = (1 / a / (kernel @ over[..., None])[..., 0]) ** power
        over = (1 / b / (under[..., None, :] @ kernel)[..., 0, :]) ** power
    return (under[..., :, None] * kernel * over[..., None, :]).to(cost.dtype)


def relative_cost(first: Float[Tensor, "*n a dim"], second: Float[Tensor, "*n b dim"]) -> Float[Tensor, "*n a b"]:
    """Return squared distances over the largest of them; each token is first brought to a smallest number of 0."""
    lowered = [tokens - tokens.min(dim=-1, keepdim=True).values for tokens in (first, second)]
    squared = (lowered[0][..., :, None, :] - lowered[1][..., None, :, :]).square().sum(dim=-1)
    return squared / squared.amax(dim=(-2, -1), keepdim=True).clamp(min=torch.finfo(squared.dtype).tiny)


def balanced_plan(
    squared_distance: Float[Tensor, "n k"], *, entropy: float = 0.1, rounds: int = 100
) -> Float[Tensor, "n k"]:
    """Return the plan that brings n patches to k prototypes of mass 1 each: columns sum to 1, rows to about k / n.

    The kernel is exp(-d²/entropy), near goes to near, in logarithms; the release has the other sign, and brings each
    patch to the prototype farthest from it.
    """
    n, k = squared_distance.shape
    log_kernel = -squared_distance.double() / entropy
    over = torch.zeros(k, dtype=torch.float64)
    for _ in range(rounds):
        under = math.log(k / n) - (log_kernel + over).logsumexp(dim=1)
        over = -(log_kernel + under[:, None]).logsumexp(dim=0)
    return (log_kernel + under[:, None] + over).exp().to(squared_distance.dtype)
