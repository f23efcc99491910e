"""K-means on expression that was averaged over neighbours: a line, and a hard baseline where domains are wide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from mclstexp.core.domain_finder import DomainFinder, Groups, Points, register
from mclstexp.core.tissue import Tissue
from mclstexp.domains.groups import k_means, principal
from mclstexp.domains.near import neighbours
from mclstexp.domains.numbers import require_positive


@register("spatial_kmeans")
@dataclass
class SpatialKMeans(DomainFinder):
    """Each spot's expression averaged with its neighbours', principal components, k-means.

    It gains where domains are wider than the reach and loses where they are as thin: compare with kmeans.
    """

    needs_places: ClassVar[bool] = True
    n_neighbours: int | None = None
    """Nearest spots that are averaged with each; by default direct neighbours on an array, 30 of scattered cells."""
    n_genes: int = 1000
    """How many genes, the most variable first."""
    n_components: int = 15
    """Principal components that are cut."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        given = {} if self.n_neighbours is None else {"n_neighbours": self.n_neighbours}
        require_positive(n_genes=self.n_genes, n_components=self.n_components, **given)

    def _embed(self, tissue: Tissue) -> Points:
        assert tissue.xy is not None
        values = tissue.most_variable(self.n_genes).astype(np.float64)
        near = neighbours(tissue.xy, self.n_neighbours) + sparse.identity(len(tissue), format="csr")
        smooth = near @ values / np.asarray(near.sum(axis=1)).reshape(-1, 1)
        return principal(smooth, self.n_components, seed=self.seed)

    def _cut(self, points: Points, tissue: Tissue, n_domains: int | None) -> Groups:  # noqa: ARG002
        return k_means(points, n_domains or 1, seed=self.seed)
