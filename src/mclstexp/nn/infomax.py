"""Deep graph infomax (Veličković et al., arXiv 1809.10341): nodes learn what tells their graph from a shuffled one."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Discriminator(nn.Module):
    """hᵀ W s + b: the logit that a node belongs to the graph of which s is the summary (eq. 4, without its sigmoid).

    Parameters
    ----------
    dim
        Length of node and summary.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(dim, dim))
        self.bias = nn.Parameter(torch.zeros(()))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, nodes: Float[Tensor, "n dim"], summary: Float[Tensor, " dim"]) -> Float[Tensor, " n"]:
        """Judge each node."""
        return nodes @ (self.weight @ summary) + self.bias


def infomax_loss(
    nodes: Float[Tensor, "n dim"], corrupted: Float[Tensor, "n dim"], discriminator: nn.Module
) -> Float[Tensor, ""]:
    """Return the binary cross-entropy of telling nodes from corrupted ones (eq. 1).

    Parameters
    ----------
    nodes
        Embeddings of a graph's nodes; their mean, through a sigmoid, is the summary (eq. 3).
    corrupted
        Embeddings of the same graph whose rows of features were permuted.
    discriminator
        (nodes, summary) → logits.
    """
    summary = nodes.mean(dim=0).sigmoid()
    logits = torch.cat([discriminator(nodes, summary), discriminator(corrupted, summary)])
    truth = torch.cat([torch.ones(len(nodes)), torch.zeros(len(corrupted))]).to(logits)
    return functional.binary_cross_entropy_with_logits(logits, truth)
