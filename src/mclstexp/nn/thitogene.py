"""THItoGene's network (Jia et al., Brief Bioinform 2024): capsules, positions, a Transformer, a graph, a head."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.nn.capsules import N_PRIMARY, PRIMARY_DIM, PrimaryCapsules, SelfAttentionRouting
from mclstexp.nn.graph_attention import GraphAttentionNetwork
from mclstexp.nn.odconv import DynamicConv2d
from mclstexp.nn.position import PositionTables
from mclstexp.nn.slide_inputs import SlideInputs, columns_first
from mclstexp.nn.transformer import PreNormBlock

TILE_PX = 112
"""Side of the tiles that the image branch takes."""
TILES_AT_ONCE = 256
"""Tiles whose pictures are computed at once in evaluation; bounds the memory, about a megabyte a tile."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of the network; by default the published ones."""

    n_genes: int
    """Genes predicted."""
    n_positions: int = 64
    """Rows of each position table."""
    n_capsules: int = 20
    """Capsules a tile becomes; its place adds two more."""
    capsule_dim: int = 64
    """Length of a capsule."""
    depth: int = 4
    """Blocks of the Transformer."""
    n_heads: int = 16
    """Heads of a block, each 64 long."""
    hidden: int = 2048
    """Inner length of a block's feed-forward part."""
    graph_heads: int = 8
    """Heads of the first graph layer."""
    graph_dim: int = 1024
    """Length of each of them."""
    graph_out: int = 512
    """Length of what the graph's last layer returns."""
    head_hidden: int = 1024
    """Inner length of the head."""

    @property
    def dim(self) -> int:
        """Length of a tile's token: its capsules, then its column and its row."""
        return (self.n_capsules + 2) * self.capsule_dim


class CapsuleEncoder(nn.Module):
    """The published image branch: dynamic convolution, ReLU, primary capsules, routing.

    Parameters
    ----------
    n_capsules, capsule_dim
        What a tile becomes.
    scale
        Pixels are divided by it first: 255 for [0, 1]; published: 1.
    """

    def __init__(self, n_capsules: int, capsule_dim: int, *, scale: float = 255.0) -> None:
        super().__init__()
        self.scale = scale
        self.odconv = DynamicConv2d(3, 16, kernel_size=4, stride=4)
        self.primary = PrimaryCapsules(16)
        self.routing = SelfAttentionRouting(N_PRIMARY, PRIMARY_DIM, n_out=n_capsules, out_dim=capsule_dim)

    def capsules(self, images: Float[Tensor, "n 3 112 112"]) -> Float[Tensor, "n n_capsules capsule_dim"]:
        """Turn images, in the range and order of axes the weights were fitted on, into capsules."""
        return self.routing(self.primary(functional.relu(self.odconv(images))))

    def forward(self, pixels: UInt8[Tensor, "n 3 112 112"]) -> Float[Tensor, "n n_values"]:
        """Turn tiles into capsules, one after the other."""
        return self.capsules(columns_first(pixels).float() / self.scale).flatten(1)


class THItoGeneNet(nn.Module):
    """A section's tiles to the expression under them, all at once.

    A token is a tile's capsules, then the learnt vectors of its column and of its row.

    Parameters
    ----------
    image
        Pictures of tiles to ``n_capsules * capsule_dim`` numbers.
    sizes
        Of all that follows.
    dropout
        In the Transformer and in the graph.
    """

    def __init__(self, image: nn.Module, sizes: Sizes, *, dropout: float = 0.2) -> None:
        super().__init__()
        self.image = image
        self.position = PositionTables(sizes.n_positions, sizes.capsule_dim)
        block = {"n_heads": sizes.n_heads, "hidden": sizes.hidden}
        self.blocks = nn.Sequential(*(PreNormBlock(sizes.dim, **block, dropout=dropout) for _ in range(sizes.depth)))
        self.graph = GraphAttentionNetwork(
            sizes.dim, n_heads=sizes.graph_heads, dim=sizes.graph_dim, out_dim=sizes.graph_out, dropout=dropout
        )
        self.head = nn.Sequential(
            nn.Linear(sizes.graph_out, sizes.head_hidden),
            nn.ReLU(),
            nn.LayerNorm(sizes.head_hidden),
            nn.Linear(sizes.head_hidden, sizes.n_genes),
        )

    def forward(self, inputs: SlideInputs) -> Float[Tensor, "n n_genes"]:
        """Predict the expression of every tile from all of them."""
        # batch norm needs a section whole in training; afterwards no tile's picture depends on another's
        parts = [inputs.image] if self.training else inputs.image.split(TILES_AT_ONCE)
        return self.decode(torch.cat([self.image(part) for part in parts]), inputs)

    def decode(self, capsules: Float[Tensor, "n n_values"], inputs: SlideInputs) -> Float[Tensor, "n n_genes"]:
        """Predict from the tiles' capsules; of the inputs only places and neighbours are asked."""
        column, row = inputs.position.unbind(dim=1)
        tokens = torch.cat([capsules, self.position.column(column), self.position.row(row)], dim=1)
        return self.head(self.graph(self.blocks(tokens[None])[0], inputs.neighbours, inputs.present))
