"""Capsules (Mazzia et al., Sci Rep 2021): an image as a few vectors, routed by self-attention in one pass."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

N_PRIMARY = 16
"""Primary capsules, each of `PRIMARY_DIM` numbers: the 128 channels at the end of the stack."""
PRIMARY_DIM = 8
MAP_SIZE_PX = 28
"""Side of the feature maps that the stack reduces to exactly one place."""


def squash(vectors: Float[Tensor, "*n dim"]) -> Float[Tensor, "*n dim"]:
    """Return (1 - e^-‖u‖) u / ‖u‖ (Mazzia et al. 2021): directions kept, lengths below 1, 0 stays 0."""
    # the tiny number keeps the gradient at a zero vector finite: √ has none there
    norm = (vectors.square().sum(dim=-1, keepdim=True) + torch.finfo(vectors.dtype).tiny).sqrt()
    return -torch.expm1(-norm) / norm * vectors


class PrimaryCapsules(nn.Module):
    """Four valid convolutions with batch norm and ReLU, then a depthwise one as large as the map: 16 capsules × 8.

    A map of 28 px a side becomes 24, 22, 20, 9 and 1.

    Parameters
    ----------
    in_channels
        Of the maps.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        channels = (in_channels, 32, 64, 64, N_PRIMARY * PRIMARY_DIM)
        layers: list[nn.Module] = []
        for number, (size, stride) in enumerate(((5, 1), (3, 1), (3, 1), (3, 2))):
            convolution = nn.Conv2d(channels[number], channels[number + 1], size, stride=stride)
            layers += [convolution, nn.BatchNorm2d(channels[number + 1]), nn.ReLU()]
        self.stack = nn.Sequential(*layers)
        self.depthwise = nn.Conv2d(channels[-1], channels[-1], 9, groups=channels[-1])

    def forward(self, maps: Float[Tensor, "n channels 28 28"]) -> Float[Tensor, "n 16 8"]:
        """Reduce each image's maps to its squashed capsules."""
        return squash(self.depthwise(self.stack(maps)).view(-1, N_PRIMARY, PRIMARY_DIM))


class SelfAttentionRouting(nn.Module):
    """Capsules voting for capsules, votes weighted by how well they agree (Mazzia et al. 2021).

    Parameters
    ----------
    n_in, in_dim
        Number and length of the capsules that vote.
    n_out, out_dim
        Number and length of those voted for.
    """

    def __init__(self, n_in: int, in_dim: int, *, n_out: int, out_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_out, n_in, in_dim, out_dim))
        self.bias = nn.Parameter(torch.zeros(n_out, n_in, 1))
        nn.init.normal_(self.weight, std=(2 / in_dim) ** 0.5)  # He: a vote is a sum over `in_dim` numbers

    def forward(self, capsules: Float[Tensor, "n n_in in_dim"]) -> Float[Tensor, "n n_out out_dim"]:
        """Route: votes u, coupling softmax over the receivers of ⟨u, Σ u⟩ / √out_dim, plus the bias."""
        votes = torch.einsum("nji,kjid->nkjd", capsules, self.weight)
        agreement = (votes * votes.sum(dim=2, keepdim=True)).sum(dim=-1, keepdim=True)
        coupling = functional.softmax(agreement / votes.shape[-1] ** 0.5, dim=1) + self.bias
        return squash((coupling * votes).sum(dim=2))
