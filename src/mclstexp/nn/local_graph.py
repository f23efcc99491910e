"""SEPAL's second stage (Mejia et al., arXiv 2309.01036): a graph network over a tile's surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.data.neighbours import find_neighbours
from mclstexp.nn.gcn import GCNLayer, GraphConvLayer, averaging, edges_within, symmetric
from mclstexp.nn.position import sincos_2d
from mclstexp.nn.spot_encoders import UM_PER_UNIT

Layer = Literal["gcn", "graph_conv"]
Join = Literal["concat", "sum"]

POSITION_DIM = 32
"""Length of the waves where they are joined to the features by concatenation."""


@dataclass(frozen=True)
class LocalGraphs:
    """Tiles of one or more sections and, for each, which rows lie around it: gathered batch by batch."""

    nodes: Float[Tensor, "n_tiles n_features"]
    """Features of each tile."""
    index: Int[Tensor, "n_tiles n_nodes"]
    """Rows of the tile itself, first, and of its neighbours."""
    offset_um: Float[Tensor, "n_tiles n_nodes 2"]
    """Where they lie, seen from the tile."""
    present: Bool[Tensor, "n_tiles n_nodes"]
    """False where a tile has fewer neighbours."""

    @classmethod
    def build(
        cls,
        features: Float[np.ndarray, "n_tiles n_features"],
        places_um: Sequence[Float[np.ndarray, "_ 2"]],
        *,
        n_neighbours: int,
        reach_um: float,
        device: torch.device,
    ) -> Self:
        """Look up neighbours section by section: none lies on another.

        Parameters
        ----------
        features
            Features of all tiles, section below section.
        places_um
            Positions of each section's tiles, in the same order.
        n_neighbours, reach_um
            At most so many, no farther than this (µm).
        device
            Where torch computes.
        """
        near = [find_neighbours(xy, n_neighbours=n_neighbours, radius_um=reach_um) for xy in places_um]
        starts = np.cumsum([0, *map(len, places_um)])
        index = np.concatenate([n.index + start for n, start in zip(near, starts, strict=False)])
        parts = (
            features,
            index,
            np.concatenate([n.offset_um for n in near]),
            np.concatenate([n.present for n in near]),
        )
        return cls(*(torch.from_numpy(part).to(device) for part in parts))

    def around(
        self, rows: Int[Tensor, " n"]
    ) -> tuple[Float[Tensor, "n n_nodes n_features"], Float[Tensor, "n n_nodes 2"], Bool[Tensor, "n n_nodes"]]:
        """Gather what `LocalGraphNetwork` takes for some rows."""
        return self.nodes[self.index[rows]], self.offset_um[rows], self.present[rows]


class LocalGraphNetwork(nn.Module):
    """From the graph around a tile to what is added to the tile's own prediction.

    A node is a tile: its features and the waves of its offset from the centre, joined, pass a linear layer to
    `widths[0]`; a graph layer follows for each further width, each with ELU; the *centre's* vector goes through a
    linear layer. The published network reads the one node that SAGPooling(ratio=1) keeps, which need not be the
    centre, and bends its output by another ELU, so that no correction lies below -1.

    Starts at zero: untrained, it leaves the first stage as it is.

    Parameters
    ----------
    n_features, n_genes
        Length of a tile's features and of an expression vector.
    widths
        Length of a node's vector before the graph layers and after each.
    layer
        "gcn" (symmetric normalisation) or "graph_conv" (own weights for the node itself, mean over its neighbours).
    join
        How features and position meet.
    radius_um
        Tiles so near to each other are joined by an edge.
    dropout
        Share of node features, and of the centre's last vector, dropped in training.
    """

    def __init__(
        self,
        n_features: int,
        n_genes: int,
        *,
        widths: Sequence[int],
        layer: Layer,
        join: Join,
        radius_um: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.layer, self.join, self.radius_um = layer, join, radius_um
        # a sum needs waves as long as the features: made a little longer where 4 does not divide, and cut
        self.position_dim = POSITION_DIM if join == "concat" else -(-n_features // 4) * 4
        self.dropout = nn.Dropout(dropout)
        self.enter = nn.Linear(n_features + (POSITION_DIM if join == "concat" else 0), widths[0])
        kind = {"gcn": GCNLayer, "graph_conv": GraphConvLayer}[layer]
        self.layers = nn.ModuleList(kind(a, b) for a, b in pairwise(widths))
        self.leave = nn.Linear(widths[-1], n_genes)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(
        self,
        nodes: Float[Tensor, "n n_nodes n_features"],
        offset_um: Float[Tensor, "n n_nodes 2"],
        present: Bool[Tensor, "n n_nodes"],
    ) -> Float[Tensor, "n n_genes"]:
        """Correct each tile's prediction from its surroundings.

        Parameters
        ----------
        nodes
            Features of the tile itself, first, and of its neighbours.
        offset_um
            Where they lie, seen from the tile.
        present
            False where a tile has fewer neighbours.
        """
        waves = sincos_2d(offset_um / UM_PER_UNIT, self.position_dim)
        nodes = self.dropout(nodes)
        nodes = torch.cat([nodes, waves], -1) if self.join == "concat" else nodes + waves[..., : nodes.shape[-1]]
        edges = edges_within(offset_um, present, radius_um=self.radius_um)
        edges = symmetric(edges) if self.layer == "gcn" else averaging(edges)
        nodes = functional.elu(self.enter(nodes))
        for layer in self.layers:
            nodes = functional.elu(layer(nodes, edges))
        return self.leave(self.dropout(nodes[:, 0]))
