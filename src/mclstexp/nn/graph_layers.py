"""Layers over a graph of tiles, given as each tile's neighbours: no matrix of all pairs is ever built."""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional


def neighbour_mean(
    hidden: Float[Tensor, "n dim"], neighbours: Int[Tensor, "n n_neighbours"], present: Bool[Tensor, "n n_neighbours"]
) -> Float[Tensor, "n dim"]:
    """Average the neighbours of each tile; a tile without any gets zeros.

    The published Hist2ST divides by the number of neighbours as it is: a lone spot becomes 0/0, and through the loss
    every weight NaN.
    """
    weights = present.to(hidden.dtype)[..., None]
    return (hidden[neighbours] * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


class GraphSage(nn.Module):
    """ReLU(W · mean of the neighbours), scaled to unit length: GraphSAGE in the "gcn" form of Hist2ST.

    The tile itself is not among its neighbours, so that its own vector is lost; Hist2ST keeps it through the
    transformer before. A tile without neighbours gets zeros.

    Parameters
    ----------
    dim
        Length of the vectors in and out.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim, bias=False)

    def forward(
        self,
        hidden: Float[Tensor, "n dim"],
        neighbours: Int[Tensor, "n n_neighbours"],
        present: Bool[Tensor, "n n_neighbours"],
    ) -> Float[Tensor, "n dim"]:
        """Pass vectors on to those who have them as neighbours."""
        return functional.normalize(functional.relu(self.linear(neighbour_mean(hidden, neighbours, present))), dim=-1)
