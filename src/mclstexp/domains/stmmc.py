"""stMMC (Li, Karami, Junayed and Nabavi 2024): expression and image over two graphs, contrast, a mixture."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mclstexp.core.domain_finder import DomainFinder, Groups, Points, register
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles
from mclstexp.core.tissue import Tissue
from mclstexp.domains.groups import mixture, principal, scaled
from mclstexp.domains.near import nearest, neighbours
from mclstexp.domains.numbers import require_positive
from mclstexp.domains.refine import vote
from mclstexp.nn.stmmc import Graph, StMMC, make_graph, stmmc_loss
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.numerics import numerics
from mclstexp.training.progress import epoch_progress

_ALIKE: Final = 3
"""Nearest spots in expression, or in look, that are joined."""
_CLIP: Final = 10.0
_WIDE: Final = 128
"""Width of the first of two layers."""


@register("stmmc")
@dataclass
class StMMCDomains(DomainFinder):
    """Expression over the tissue's graph and tile features over one of like spots, mixed and contrasted (Li 2024).

    What is cut is the reconstructed expression: 20 principal components and a Gaussian mixture with one covariance
    (mclust's model EEE; scikit-learn starts it from k-means, mclust does not).
    """

    presets = MappingProxyType({"published": {"n_neighbours": 3, "refine": 50, "released": True, "seed": 39}})
    needs_places: ClassVar[bool] = True

    use_image: bool = True
    """Whether it looks at the image; without, it is one graph auto-encoder with local contrast."""
    encoder: str = "efficientnet_lite0"
    """Frozen image encoder, as of the other methods."""
    image_graph: Literal["expression", "space", "image"] = "expression"
    """What the image features travel over: between spots of like expression (published), neighbours, or like look."""
    n_neighbours: int | None = None
    """Nearest spots that are joined on the tissue; by default direct neighbours on an array, 30 of scattered cells."""
    n_genes: int = 3000
    """How many genes, the most variable first; at most 3000."""
    n_layers: Literal[1, 2] = 1
    """Layers before the latent."""
    dim: int = 32
    """Width of the latent."""
    n_epochs: int = 600
    """Passes over the section."""
    learning_rate: float = 0.01
    """Of Adam."""
    refine: int = 0
    """Nearest other spots whose vote replaces a spot's domain; 0 leaves it. Fifty (published) swallow thin layers."""
    released: bool = False
    """Whether details are the release's: genes are not centred and image features not scaled, a spot counts twice among
    its own neighbours, the share of the genes may leave 0 to 1."""
    seed: int = 0
    """Of weights, corruption and mixture."""

    def __post_init__(self) -> None:
        given = {} if self.n_neighbours is None else {"n_neighbours": self.n_neighbours}
        require_positive(n_genes=self.n_genes, dim=self.dim, n_epochs=self.n_epochs, **given)
        require_positive(learning_rate=self.learning_rate)
        if self.refine < 0:
            msg = f"refine of 0 or more expected, found {self.refine}"
            raise InputError(msg)

    @property
    def looks(self) -> bool:
        """Whether it looks at the image."""
        return self.use_image

    def _numerics(self) -> dict[str, str]:
        return numerics(self, encoder=self.encoder) if self.use_image else {}

    def _look(self, tiles: Tiles) -> Float[np.ndarray, "n_spots dim"]:
        return embed_tiles(tiles, self.encoder)

    def _embed(self, tissue: Tissue) -> Points:
        assert tissue.xy is not None
        expression = tissue.most_variable(self.n_genes)
        spread = expression.std(axis=0, ddof=1, dtype=np.float64)
        expression = np.minimum(expression / np.where(spread > 0, spread, 1), _CLIP)
        if not self.released:  # or the first thing that is learnt is who lies at the edge
            expression -= expression.mean(axis=0)
        inputs = [torch.tensor(expression, dtype=torch.float32)]
        graphs = [make_graph(neighbours(tissue.xy, self.n_neighbours), released=self.released)]
        if tissue.features is not None:
            features = tissue.features if self.released else scaled(tissue.features)
            inputs.append(torch.tensor(features, dtype=torch.float32))
            graphs.append(graphs[0] if self.image_graph == "space" else self._alike(expression, features))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            reconstruction = self._train(tuple(inputs), tuple(graphs))
        return principal(reconstruction.double().numpy(), 20, seed=42)

    def _alike(self, expression: np.ndarray, features: np.ndarray) -> Graph:
        seen = expression if self.image_graph == "expression" else features
        return make_graph(nearest(principal(seen, 50, seed=42), _ALIKE), released=self.released)

    def _train(self, inputs: tuple[Tensor, ...], graphs: tuple[Graph, ...]) -> Tensor:
        """Fit the network to the section, all spots at once, and return the reconstructed expression."""
        n_inputs, n_spots = tuple(values.shape[1] for values in inputs), len(inputs[0])
        hidden = _WIDE if self.n_layers == 2 else None
        network = StMMC(n_inputs, dim=self.dim, hidden=hidden, squashed=not self.released)
        adam = torch.optim.Adam(network.parameters(), self.learning_rate)
        with epoch_progress("stmmc", self.n_epochs) as on_epoch:
            for epoch in range(1, self.n_epochs + 1):
                loss = stmmc_loss(network(inputs, graphs, _shuffled(n_spots, len(inputs))), inputs[0])
                adam.zero_grad()
                loss.backward()
                adam.step()
                on_epoch(epoch, loss.item())
        with torch.no_grad():
            return network(inputs, graphs, _shuffled(n_spots, len(inputs))).reconstruction

    def _cut(self, points: Points, tissue: Tissue, n_domains: int | None) -> Groups:
        assert tissue.xy is not None
        groups = mixture(points, n_domains or 1, seed=self.seed)
        return vote(groups, tissue.xy, self.refine) if self.refine else groups


def _shuffled(n_spots: int, n: int) -> tuple[Tensor, ...]:
    return tuple(torch.randperm(n_spots) for _ in range(n))
