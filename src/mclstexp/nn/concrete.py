"""Learnt masks of features: Bernoulli variables that may be chosen by gradient while they are drawn."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_EDGE = 1e-6  # of the uniform numbers, whose logarithm must stay finite


class FeatureMask(nn.Module):
    """Keeps each feature with a probability that is learnt: z ~ Bernoulli(σ(α)), α one number per feature.

    While it is trained z is the binary concrete of Maddison et al. and Jang et al. (2017), between 0 and 1;
    afterwards it is the probability itself.

    Parameters
    ----------
    n_features
        How many; all start at one half.
    temperature
        The nearer to 0, the nearer z is to 0 or 1 and the rougher its gradient.
    """

    def __init__(self, n_features: int, *, temperature: float = 0.5) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(n_features))
        self.temperature = temperature

    @property
    def probability(self) -> Float[Tensor, " n_features"]:
        """How likely each feature is kept."""
        return self.logits.sigmoid()

    def forward(self, values: Float[Tensor, "n n_features"]) -> Float[Tensor, "n n_features"]:
        """Mask values, each row by a draw of its own."""
        if not self.training:
            return values * self.probability
        uniform = torch.rand_like(values).clamp(_EDGE, 1 - _EDGE)
        return values * relaxed(self.logits, uniform, temperature=self.temperature)

    def drawn(self, values: Float[Tensor, "n n_features"]) -> Float[Tensor, "n n_features"]:
        """Mask values by one hard draw for all rows."""
        return values * (torch.rand_like(self.logits) < self.probability)


def relaxed(
    logits: Float[Tensor, " n_features"], uniform: Float[Tensor, "n n_features"], *, temperature: float
) -> Float[Tensor, "n n_features"]:
    """Return σ((α + ln u - ln(1 - u)) / τ)."""
    return ((logits + uniform.log() - (-uniform).log1p()) / temperature).sigmoid()


def kl_to(logits: Float[Tensor, " n_features"], prior: float) -> Float[Tensor, " n_features"]:
    """Return KL(Bernoulli(σ(α)) ‖ Bernoulli(prior)) of each feature.

    Parameters
    ----------
    logits
        α.
    prior
        Share of the features that is expected to count, within 0 and 1.
    """
    kept, dropped = logits.sigmoid(), (-logits).sigmoid()
    return kept * (functional.logsigmoid(logits) - math.log(prior)) + dropped * (
        functional.logsigmoid(-logits) - math.log1p(-prior)
    )
