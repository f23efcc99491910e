"""SpaDiT's networks as released (Li, Zhu and Min 2024), for comparison alone: what runs, and what its figure draws.

The released training never sees the values that are to be predicted, and the released sampler returns the truth where
it is known; neither is offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.nn.adaptive_norm import AdaptiveBlock, AdaptiveOutput, TimeEmbedding
from mclstexp.nn.foreign_weights import fill, renamed

_WHAT: Final = "the published SpaDiT"


class ReleasedSpaDiT(nn.Module):
    """What runs in the release: one gene's values over spots and over cells, through a plain network.

    No time, no condition, no attention: they are built there and reach no output.

    Parameters
    ----------
    n_spots, n_cells
        Lengths of a gene's two vectors.
    hidden
        Length that each is brought to.
    """

    def __init__(self, n_spots: int, n_cells: int, *, hidden: int = 256) -> None:
        super().__init__()
        self.spots_in, self.cells_in = nn.Linear(n_spots, hidden), nn.Linear(n_cells, hidden)
        sizes = [2 * hidden, 512, 256, 128, 128, 256, 512, n_spots]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def forward(
        self, noised: Float[Tensor, "n_genes n_spots"], cells: Float[Tensor, "n_genes n_cells"]
    ) -> Float[Tensor, "n_genes n_spots"]:
        """Guess the noise, as it is trained to."""
        values = torch.cat([self.spots_in(noised), self.cells_in(cells)], dim=-1)
        for i, layer in enumerate(self.layers):
            values = layer(values)
            # nothing bends what leaves encoder, middle and decoder
            values = functional.relu(values) if i < len(self.layers) - 1 else values
        return values


class DrawnSpaDiT(nn.Module):
    """What the figure draws: genes of a batch as one sequence of tokens, conditioned by time and the mean cell profile.

    Parameters
    ----------
    n_spots, n_cells, hidden
        See `ReleasedSpaDiT`; a token has twice `hidden` numbers.
    depth, n_heads
        Of the transformer.
    """

    def __init__(self, n_spots: int, n_cells: int, *, hidden: int = 256, depth: int = 16, n_heads: int = 16) -> None:
        super().__init__()
        dim = 2 * hidden
        self.spots_in, self.cells_in = nn.Linear(n_spots, hidden), nn.Linear(n_cells, hidden)
        self.time = TimeEmbedding(dim)
        self.profile = nn.Sequential(
            nn.Linear(n_cells, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, dim)
        )
        self.blocks = nn.ModuleList(AdaptiveBlock(dim, n_heads=n_heads) for _ in range(depth))
        self.out = AdaptiveOutput(dim, n_spots)

    def forward(
        self,
        noised: Float[Tensor, "n_genes n_spots"],
        cells: Float[Tensor, "n_genes n_cells"],
        time: Float[Tensor, " n_genes"],
    ) -> Float[Tensor, "n_genes n_spots"]:
        """Guess the noise of each gene; an answer depends on which genes are asked together."""
        condition = self.time(time) + self.profile(cells.mean(dim=0, keepdim=True))
        tokens = torch.cat([self.spots_in(noised), self.cells_in(cells)], dim=-1)
        for block in self.blocks:
            tokens = block(tokens, condition)
        return self.out(tokens, condition)


def load_released(network: ReleasedSpaDiT, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Fill the network that runs with the release's weights; those that reach no output are passed over.

    Raises
    ------
    InputError
        If a tensor is missing or of another shape.
    """
    patterns = [
        (r"^in_layer\.0", "spots_in"),
        (r"^x_in_layer\.0", "cells_in"),
        *((rf"^unet\.{part}\.", f"layers.{i}.") for i, part in enumerate(_LAYERS)),
    ]
    used = {name: tensor for name, tensor in weights.items() if name.startswith(("in_layer", "x_in_layer", "unet"))}
    fill(network, renamed(used, patterns), what=_WHAT, source=source)


def load_drawn(network: DrawnSpaDiT, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Fill the network that is drawn with weights under the release's names.

    Raises
    ------
    InputError
        If a tensor is missing, unknown or of another shape.
    """
    patterns = [
        (r"^in_layer\.0", "spots_in"),
        (r"^x_in_layer\.0", "cells_in"),
        (r"^time_emb\.mlp", "time.layers"),
        (r"^cond_layer_mlp\.fc1", "profile.0"),
        (r"^cond_layer_mlp\.fc2", "profile.2"),
        (r"^cond_layer_mlp\.fc3", "profile.4"),
        (r"^blks", "blocks"),
        (r"^out_layer", "out"),
        (r"adaLN_modulation\.1", "modulation"),
        (r"\.(attn|mlp)\.", "."),
    ]
    fill(network, renamed(weights, patterns), what=_WHAT, source=source)


_LAYERS: Final = (
    "encoder.0", "encoder.2", "middle.0", "middle.2", "decoder.0", "decoder.2", "decoder.4",
)  # fmt: skip
