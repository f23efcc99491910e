"""Genetic InfoMax (arXiv 2309.15132): image and genome embedded so that they share as much as can be told.

Of the paper abstract and first page could be read: which bound, regulariser and weights it has was not available, and
what stands here are choices of ours.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.nn.losses import contrastive_loss

_LEAST_VARIANCE = 1e-4
_COVARIANCE = 0.04  # weight of the covariance term by that of the variance term
Estimator = Literal["infonce", "jensen_shannon"]


class TransModal(nn.Module):
    """Traits of an image, an encoder of the other modality, and a head for each that the loss alone sees.

    Parameters
    ----------
    image
        (n, n_features) → (n, n_traits).
    other
        Genes or genotypes → (n, n_other).
    n_traits, n_other
        Lengths of what they return.
    dim
        Length of the heads.
    temperature
        Of the similarities.
    """

    def __init__(
        self,
        image: nn.Module,
        other: nn.Module,
        *,
        n_traits: int,
        n_other: int,
        dim: int = 32,
        temperature: float = 0.2,
    ) -> None:
        super().__init__()
        self.image, self.other = image, other
        self.image_head, self.other_head = nn.Linear(n_traits, dim), nn.Linear(n_other, dim)
        self.temperature = temperature

    def embed_images(self, features: Float[Tensor, "n _"]) -> Float[Tensor, "n dim"]:
        """Return unit vectors of images."""
        return functional.normalize(self.image_head(self.image(features)), dim=-1)

    def embed_other(self, values: Float[Tensor, "n _"]) -> Float[Tensor, "n dim"]:
        """Return unit vectors of the other modality."""
        return functional.normalize(self.other_head(self.other(values)), dim=-1)


def image_traits(n_features: int, n_traits: int, *, hidden: int = 256) -> nn.Sequential:
    """Return the encoder of frozen features: two layers."""
    return nn.Sequential(nn.Linear(n_features, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, n_traits))


def information_loss(
    images: Float[Tensor, "n dim"],
    others: Float[Tensor, "n dim"],
    *,
    temperature: float,
    estimator: Estimator = "infonce",
) -> Float[Tensor, ""]:
    """Return what is minimised so that row *i* of both share information.

    "infonce": ln n less this is a bound below of the mutual information, which no batch shows above ln n (van den Oord
    et al. 2018). "jensen_shannon": softplus(-s) of pairs and softplus(s) of others (Hjelm et al. 2019).

    Parameters
    ----------
    images, others
        Unit vectors.
    temperature
        What cosines are divided by.
    estimator
        Which.
    """
    similar = images @ others.T / temperature
    if estimator == "infonce":
        return contrastive_loss(similar)
    own = torch.eye(len(similar), dtype=torch.bool, device=similar.device)
    return functional.softplus(-similar[own]).mean() + functional.softplus(similar[~own]).mean()


def spread_loss(traits: Float[Tensor, "n n_traits"]) -> Float[Tensor, ""]:
    """Return how far traits are from each varying by one and none going with another (variance and covariance terms).

    An association scan wants every coordinate to be a trait of its own; contrast alone may use a few directions.
    """
    n_traits = traits.shape[1]
    narrow = (1 - (traits.var(dim=0) + _LEAST_VARIANCE).sqrt()).clamp(min=0).mean()
    among = torch.cov(traits.T).reshape(n_traits, n_traits)
    together = (among - among.diag().diag()).square().sum() / n_traits
    return narrow + _COVARIANCE * together
