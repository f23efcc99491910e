"""Self-normalising networks, one for each pathway or group of genes (Klambauer et al. 2017; as in MCAT and MMP)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PathwayNetworks(nn.Module):
    """A token for each pathway out of its genes: twice linear, ELU, alpha dropout.

    Parameters
    ----------
    sizes
        How many genes each has.
    width
        Of a token.
    dropout
        After each layer.
    """

    def __init__(self, sizes: Sequence[int], width: int = 256, *, dropout: float = 0.25) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.networks = nn.ModuleList(
            nn.Sequential(_layer(size, width, dropout), _layer(width, width, dropout)) for size in sizes
        )

    def forward(self, genes: Float[Tensor, "n n_values"]) -> Float[Tensor, "n n_pathways width"]:
        """Return tokens.

        Parameters
        ----------
        genes
            The pathways' genes beside each other, a gene in two of them twice.
        """
        values = genes.split(self.sizes, dim=1)
        return torch.stack([network(own) for network, own in zip(self.networks, values, strict=True)], dim=1)


class PathwayMlp(nn.Module):
    """The pathways' tokens, their mean, a head.

    Parameters
    ----------
    sizes, width, dropout
        See `PathwayNetworks`.
    n_out
        Numbers returned.
    """

    def __init__(self, sizes: Sequence[int], width: int = 256, *, n_out: int = 1, dropout: float = 0.25) -> None:
        super().__init__()
        self.pathways = PathwayNetworks(sizes, width, dropout=dropout)
        self.head = nn.Linear(width, n_out)

    def forward(self, genes: Float[Tensor, "n n_values"]) -> Float[Tensor, "n n_out"]:
        """Return what is said of each patient."""
        return self.head(self.pathways(genes).mean(dim=1))


def _layer(n_in: int, n_out: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, n_out), nn.ELU(), nn.AlphaDropout(dropout))
