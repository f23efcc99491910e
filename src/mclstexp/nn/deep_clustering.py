"""Losses that pull a latent into clusters: options of stMMC's release that are off there, for comparison alone."""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

_WIDTH: Final = 0.15
"""Squared width of the kernel, over the median squared distance."""


def soft_assignment(latent: Float[Tensor, "n dim"], centres: Float[Tensor, "k dim"]) -> Float[Tensor, "n k"]:
    """Assign by Student's t with one degree of freedom (DEC: Xie and others 2016, eq. 1)."""
    near = 1 / (1 + torch.cdist(latent, centres) ** 2)
    return near / near.sum(dim=1, keepdim=True)


def sharpened(assignment: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """Return DEC's target (eq. 3): squares over the size of each cluster."""
    weight = assignment**2 / assignment.sum(dim=0)
    return weight / weight.sum(dim=1, keepdim=True)


def sharpening_loss(assignment: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """Return the divergence KL(target ‖ assignment), mean over spots."""
    target = sharpened(assignment).detach()
    return (target * (target / assignment).log()).sum() / len(assignment)


def divergence_loss(assignment: Float[Tensor, "n k"], hidden: Float[Tensor, "n dim"]) -> Float[Tensor, ""]:
    """Return the loss of deep divergence clustering (Kampffmeyer and others 2019): apart, orthogonal, near corners.

    Parameters
    ----------
    assignment
        (n, k) rows of a softmax.
    hidden
        (n, dim) what it was made of; its kernel's width follows the median of all n² squared distances.
    """
    squared = torch.cdist(hidden, hidden) ** 2
    kernel = torch.exp(-squared / (2 * (_WIDTH * squared.detach().median()).clamp(min=1e-9)))
    n, k = assignment.shape
    corners = torch.exp(-(torch.cdist(assignment, torch.eye(k)) ** 2))
    overlap = (assignment @ assignment.T).triu(diagonal=1).sum() * 2 / (n * (n - 1))
    return _apart(assignment, kernel) + overlap + _apart(corners, kernel)


def _apart(assignment: Float[Tensor, "n k"], kernel: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
    k = assignment.shape[1]
    shared = assignment.T @ kernel @ assignment
    own = shared.diagonal()
    ratio = shared.clamp(min=1e-9) / (own[:, None] * own).clamp(min=1e-18).sqrt()
    return ratio.triu(diagonal=1).sum() * 2 / (k * (k - 1))
