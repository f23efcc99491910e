"""The default and the bar: principal components of expression, k-means."""

from __future__ import annotations

from dataclasses import dataclass

from mclstexp.core.domain_finder import DomainFinder, Groups, Points, register
from mclstexp.core.tissue import Tissue
from mclstexp.domains.groups import k_means, principal
from mclstexp.domains.numbers import require_positive


@register("kmeans")
@dataclass
class KMeansDomains(DomainFinder):
    """Nine principal components of expression and k-means, as in the notebook of mclSTExp's authors."""

    n_genes: int = 1000
    """How many genes, the most variable first."""
    n_components: int = 9
    """Principal components that are cut."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        require_positive(n_genes=self.n_genes, n_components=self.n_components)

    def _embed(self, tissue: Tissue) -> Points:
        return principal(tissue.most_variable(self.n_genes), self.n_components, seed=self.seed)

    def _cut(self, points: Points, tissue: Tissue, n_domains: int | None) -> Groups:  # noqa: ARG002
        return k_means(points, n_domains or 1, seed=self.seed)
