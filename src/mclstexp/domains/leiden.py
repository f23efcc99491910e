"""Leiden: a graph of like expression and one of neighbouring spots, cut together; nobody names a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from anndata import AnnData
from scipy import sparse

from mclstexp.core.domain_finder import DomainFinder, Groups, Points, register
from mclstexp.core.errors import InputError
from mclstexp.core.tissue import Tissue
from mclstexp.data.autocorrelation import neighbour_weights
from mclstexp.domains.groups import principal
from mclstexp.domains.numbers import require_positive

_N_TRIES: Final = 25
"""Resolutions that are tried for a number of domains."""
_MOST: Final = 50.0


@register("leiden")
@dataclass
class Leiden(DomainFinder):
    """Graphs of like expression and of neighbouring spots, added and cut by the Leiden algorithm (Traag et al. 2019).

    scanpy's 15 nearest neighbours over 20 principal components, weighed by a Gaussian, and direct neighbours on the
    tissue, as in squidpy's tutorials. It settles on a number of domains itself; where one is given, the resolution is
    searched. Needs the extra ``analysis``.
    """

    needs = ("igraph", "scanpy")
    needs_places: ClassVar[bool] = True
    counts_itself: ClassVar[bool] = True
    n_genes: int = 1000
    """How many genes, the most variable first."""
    resolution: float = 1.0
    """More gives more domains; not looked at where their number is given."""
    share_of_space: float = 0.2
    """Weight of the tissue's graph, from 0 (expression alone) to 1."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        require_positive(n_genes=self.n_genes, resolution=self.resolution)
        if not 0 <= self.share_of_space <= 1:
            msg = f"share_of_space of 0 to 1 expected, found {self.share_of_space}"
            raise InputError(msg)

    def _embed(self, tissue: Tissue) -> Points:
        return principal(tissue.most_variable(self.n_genes), 20, seed=self.seed)

    def _cut(self, points: Points, tissue: Tissue, n_domains: int | None) -> Groups:
        scanpy = _scanpy()
        spots = AnnData(points)
        # exact neighbours, also above 4096 tiles; UMAP's weights took seconds to compile and found no better layers
        scanpy.pp.neighbors(spots, use_rep="X", method="gauss", transformer="sklearn", random_state=self.seed)
        assert tissue.xy is not None
        near = (neighbour_weights(tissue.xy) > 0).astype(np.float64)
        joint = (1 - self.share_of_space) * spots.obsp["connectivities"] + self.share_of_space * near
        spots.obsp["joint"] = sparse.csr_matrix(joint)
        if n_domains is None:
            return self._leiden(spots, self.resolution)
        return self._search(spots, n_domains)

    def _leiden(self, spots: AnnData, resolution: float) -> Groups:
        _scanpy().tl.leiden(
            spots,
            resolution,
            adjacency=spots.obsp["joint"],
            flavor="igraph",
            directed=False,
            n_iterations=-1,
            random_state=self.seed,
        )
        return spots.obs["leiden"].cat.codes.to_numpy().astype(np.intp)

    def _search(self, spots: AnnData, n_domains: int) -> Groups:
        """Halve a range of resolutions until the number is met; otherwise the nearest that was seen."""
        low, high = 0.0, _MOST
        best: Groups | None = None
        for _ in range(_N_TRIES):
            groups = self._leiden(spots, resolution := (low * high) ** 0.5 if low else high / 8)
            found = len(np.unique(groups))
            if best is None or abs(found - n_domains) < abs(len(np.unique(best)) - n_domains):
                best = groups
            if found == n_domains:
                return groups
            low, high = (resolution, high) if found < n_domains else (low, resolution)
        assert best is not None
        return best


def _scanpy() -> Any:
    try:
        import igraph  # noqa: F401, PLC0415
        import scanpy  # noqa: PLC0415
    except ImportError as error:
        msg = "scanpy and igraph expected for the Leiden algorithm, found one missing: pip install 'mclstexp[analysis]'"
        raise InputError(msg) from error
    return scanpy
