"""ST-GCHB's network (arXiv 2406.12229): a graph convolution and a head for tiles, and the same for spots."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor, nn

from mclstexp.nn.gcn import GCNLayer, averaging
from mclstexp.nn.heads import ProjectionHead

Branch = Literal["image", "spot"]
Gather = Literal["mean", "sum"]


class NeighbourEncoder(nn.Module):
    """PReLU(Σ W x + b) over a node and its neighbours: one graph convolution, gathered per node.

    Parameters
    ----------
    in_dim, dim
        Length of a node's features and of its embedding.
    gather
        "mean" of the nodes that are there; "sum" as published, where a node at the border gets less.
    """

    def __init__(self, in_dim: int, dim: int, *, gather: Gather = "mean") -> None:
        super().__init__()
        self.gather = gather
        self.layer = GCNLayer(in_dim, dim)
        self.activation = nn.PReLU()

    def forward(
        self, nodes: Float[Tensor, "n n_nodes in_dim"], present: Bool[Tensor, "n n_nodes"]
    ) -> Float[Tensor, "n dim"]:
        """Embed each node from the features of itself and its neighbours."""
        edges = present.to(nodes.dtype)[:, None]
        return self.activation(self.layer(nodes, averaging(edges) if self.gather == "mean" else edges)[:, 0])


class AlignedGraphs(nn.Module):
    """Two branches, tiles ("image") and measured spots ("spot"), each a `NeighbourEncoder` and a `ProjectionHead`.

    Parameters
    ----------
    n_features, n_expression
        Length of a tile's features and of what the spot branch sees of the expression.
    hidden, dim
        Length of the graph embedding and of the projected one.
    dropout
        In the heads.
    gather
        See `NeighbourEncoder`.
    """

    def __init__(
        self,
        n_features: int,
        n_expression: int,
        *,
        hidden: int = 256,
        dim: int = 128,
        dropout: float = 0.4,
        gather: Gather = "mean",
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(
            {
                "image": NeighbourEncoder(n_features, hidden, gather=gather),
                "spot": NeighbourEncoder(n_expression, hidden, gather=gather),
            }
        )
        self.heads = nn.ModuleDict({name: ProjectionHead(hidden, dim, dropout=dropout) for name in self.encoders})

    def forward(
        self, branch: Branch, nodes: Float[Tensor, "n n_nodes in_dim"], present: Bool[Tensor, "n n_nodes"]
    ) -> tuple[Float[Tensor, "n hidden"], Float[Tensor, "n dim"]]:
        """Return the graph embedding Z and the projected embedding P of each node of a branch."""
        hidden = self.encoders[branch](nodes, present)
        return hidden, self.heads[branch](hidden)
