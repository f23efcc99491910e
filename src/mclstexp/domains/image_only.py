"""The control that sees no gene: k-means on frozen features of the tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mclstexp.core.domain_finder import DomainFinder, Groups, Points, register
from mclstexp.core.tiles import Tiles
from mclstexp.core.tissue import Tissue
from mclstexp.domains.groups import k_means, principal, scaled
from mclstexp.domains.numbers import require_positive
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.numerics import numerics


@register("image_only")
@dataclass
class ImageOnly(DomainFinder):
    """Principal components of frozen tile features and k-means, no expression: a control."""

    encoder: str = "efficientnet_lite0"
    """Frozen image encoder, as of the other methods."""
    n_components: int = 20
    """Principal components that are cut."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        require_positive(n_components=self.n_components)

    @property
    def looks(self) -> bool:
        """Whether it looks at the image."""
        return True

    def _numerics(self) -> dict[str, str]:
        return numerics(self, encoder=self.encoder)

    def _look(self, tiles: Tiles) -> Float[np.ndarray, "n_spots dim"]:
        return embed_tiles(tiles, self.encoder)

    def _embed(self, tissue: Tissue) -> Points:
        assert tissue.features is not None
        return principal(scaled(tissue.features), self.n_components, seed=self.seed)

    def _cut(self, points: Points, tissue: Tissue, n_domains: int | None) -> Groups:  # noqa: ARG002
        return k_means(points, n_domains or 1, seed=self.seed)
