"""Dependence between representations: the Hilbert-Schmidt independence criterion and its bottleneck."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def gaussian_kernel(points: Float[Tensor, "n dim"], *, sigma: float) -> Float[Tensor, "n n"]:
    """Return exp(-‖xᵢ - xⱼ‖² / σ²) for each pair (no factor 2, as ST-GCHB has it)."""
    # from differences: the usual expansion of the square loses near pairs in float32
    apart = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    return (-apart.square() / sigma**2).exp()


def hsic(first: Float[Tensor, "n n"], second: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
    """Return tr(K H L H) / (n - 1)², H = I - 1/n, of two kernel matrices (Gretton et al. 2005, eq. 9).

    Parameters
    ----------
    first, second
        Kernels over the same n points, symmetric; one point depends on nothing (0).
    """
    # H is idempotent and the trace cyclic: one centred kernel is enough, and the trace of a product of symmetric
    # matrices is the sum of the products of their entries
    centred = first - first.mean(dim=0, keepdim=True)
    centred = centred - centred.mean(dim=1, keepdim=True)
    return (centred * second).sum() / max(len(first) - 1, 1) ** 2


def normalised_hsic(first: Float[Tensor, "n n"], second: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
    """Return HSIC(K, L) / √((1 + HSIC(K, K)) (1 + HSIC(L, L))), as ST-GCHB (arXiv 2406.12229) normalises it."""
    return hsic(first, second) / ((1 + hsic(first, first)) * (1 + hsic(second, second))).sqrt()


def hsic_bottleneck(
    inputs: Float[Tensor, "n n_inputs"],
    hidden: Float[Tensor, "n n_hidden"],
    projected: Float[Tensor, "n dim"],
    *,
    beta: float,
    sigma: float,
) -> Float[Tensor, ""]:
    """Return nHSIC(X, Z) - β nHSIC(P, Z): hidden forgets the input, and keeps what the projection uses.

    Both terms are normalised, for spots and images alike; the published code leaves the image's second term
    unnormalised, so that its weight depends on the batch.

    Parameters
    ----------
    inputs, hidden, projected
        X, Z and P of the same n spots.
    beta
        Weight of the second term.
    sigma
        Width of the Gaussian kernels.
    """
    x, z, p = (gaussian_kernel(points, sigma=sigma) for points in (inputs, hidden, projected))
    return normalised_hsic(x, z) - beta * normalised_hsic(p, z)
