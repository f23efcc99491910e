"""The zero-inflated negative binomial of raw counts (Hist2ST's second loss)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_EPS = 1e-10


@dataclass(frozen=True)
class Zinb:
    """Parameters of one distribution per spot and gene."""

    mean: Float[Tensor, "n n_genes"]
    """Of the negative binomial, for a spot of size factor 1; above 0."""
    dispersion: Float[Tensor, "n n_genes"]
    """θ: the variance is mean + mean² / θ."""
    dropout: Float[Tensor, "n n_genes"]
    """π: probability that a count is zero whatever the mean; in [0, 1]."""


class ZinbHead(nn.Module):
    """Hidden vectors to the three parameters, each by a linear layer of its own, kept within published bounds.

    Parameters
    ----------
    dim, n_genes
        Length of the hidden vectors and of the parameters.
    """

    def __init__(self, dim: int, n_genes: int) -> None:
        super().__init__()
        self.mean = nn.Linear(dim, n_genes)
        self.dispersion = nn.Linear(dim, n_genes)
        self.dropout = nn.Linear(dim, n_genes)

    def forward(self, hidden: Float[Tensor, "n dim"]) -> Zinb:
        """Say how counts are distributed."""
        return Zinb(
            mean=self.mean(hidden).exp().clamp(1e-5, 1e6),
            dispersion=functional.softplus(self.dispersion(hidden)).clamp(1e-4, 1e4),
            dropout=self.dropout(hidden).sigmoid(),
        )


def zinb_loss(counts: Float[Tensor, "n n_genes"], zinb: Zinb, *, size_factor: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Return the mean negative log-likelihood of counts.

    Parameters
    ----------
    counts
        Raw counts.
    zinb
        Their distribution at size factor 1.
    size_factor
        How deep each spot was sequenced, relative to the median spot: its means are multiplied by it.
    """
    mean, theta, dropout = zinb.mean * size_factor[:, None], zinb.dispersion, zinb.dropout
    choose = torch.lgamma(theta + _EPS) + torch.lgamma(counts + 1) - torch.lgamma(counts + theta + _EPS)
    odds = (theta + counts) * torch.log1p(mean / (theta + _EPS))
    odds = odds + counts * (torch.log(theta + _EPS) - torch.log(mean + _EPS))
    some = choose + odds - torch.log(1 - dropout + _EPS)
    zero = -torch.log(dropout + (1 - dropout) * (theta / (theta + mean + _EPS)) ** theta + _EPS)
    return torch.where(counts < 0.5, zero, some).mean()
