"""Tangram (Biancalani and others 2021): every cell is laid on spots, so that together they look as the section does."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch import Tensor
from torch.nn import functional

from mclstexp.core.errors import InputError
from mclstexp.core.imputer import Imputed, Imputer, register
from mclstexp.core.pairing import Pairing
from mclstexp.imputation.patterns import z_scores
from mclstexp.training.progress import epoch_progress

MOST: Final = 5_000_000
"""Cells times spots up to which each cell is laid by itself."""
_COMPONENTS: Final = 30


@register("tangram")
@dataclass
class Tangram(Imputer):
    """Cells, or mean cells of types, are laid on spots by gradient descent (Biancalani and others 2021)."""

    presets = MappingProxyType({"published": {"summed": True, "n_steps": 1000}})

    mode: Literal["auto", "cell", "cluster"] = "auto"
    """Whether each cell is laid, or the mean cell of each type; cells where cells times spots are at most 5 million."""
    cell_type: str | None = None
    """Column of the reference's obs with the types; by default types are found by k-means."""
    n_clusters: int = 50
    """Types that are found where no column says them (fewer where there are fewer cells)."""
    n_steps: int = 300
    """Steps of Adam."""
    learning_rate: float = 0.1
    """Its learning rate."""
    spot_weight: float = 0.0
    """Weight of the mean cosine over spots, beside that over genes, which weighs 1."""
    density_weight: float = 1.0
    """Weight of how far the share of cells on each spot is from its share of the counts (Kullback-Leibler)."""
    summed: bool = False
    """Whether a spot gets the sum of the cells on it, as published, in place of their mean. Such a sum says how many
    cells lie there too, which values that are shares of a spot do not."""
    seed: int = 0
    """Of where cells lie at the start, and of k-means."""

    def __post_init__(self) -> None:
        if self.mode not in ("auto", "cell", "cluster"):
            msg = f"mode must be 'auto', 'cell' or 'cluster', found {self.mode!r}"
            raise InputError(msg)
        if self.n_steps < 1 or self.n_clusters < 2 or not self.learning_rate > 0:
            msg = (
                "n_steps of 1, n_clusters of 2 and a learning_rate above 0 at least expected, found "
                f"{self.n_steps}, {self.n_clusters} and {self.learning_rate}"
            )
            raise InputError(msg)
        if not (self.spot_weight >= 0 and self.density_weight >= 0):
            msg = f"weights of 0 or more expected, found {self.spot_weight} and {self.density_weight}"
            raise InputError(msg)

    def _impute(self, known: Pairing) -> Imputed:
        n_spots, n_cells = len(known.spots), len(known.cells)
        if self.mode == "cell" or (self.mode == "auto" and n_cells * n_spots <= MOST):
            profiles, share = sparse.identity(n_cells, format="csr"), np.full(n_cells, 1 / n_cells)
        else:
            profiles, share = self._types(known)
        density = np.expm1(known.depth)
        laid = self._lay(profiles @ known.cells, known.spots, share, density / density.sum())
        of_spot = (laid * share[:, None]).T
        # as many cells as spots, or the mean of those that lie on a spot
        of_spot *= n_spots if self.summed else 1 / np.maximum(of_spot.sum(axis=1, keepdims=True), 1e-12)
        return Imputed(np.asarray(of_spot @ (profiles @ known.asked).toarray()))

    def _types(self, known: Pairing) -> tuple[sparse.csr_matrix, Float[np.ndarray, " n_types"]]:
        """Return (n_types, n_cells) what makes means of types, and each type's share of the cells."""
        if self.cell_type is None:
            n_components = min(_COMPONENTS, *known.cells.shape)
            pca = PCA(n_components, svd_solver="randomized", random_state=self.seed)
            kinds = KMeans(min(self.n_clusters, len(known.cells)), n_init=2, random_state=self.seed)
            of_cell = kinds.fit_predict(pca.fit_transform(z_scores(known.cells)))
        elif self.cell_type in known.cell_obs:
            of_cell = known.cell_obs[self.cell_type].astype(str).to_numpy()
        else:
            found = ", ".join(map(str, list(known.cell_obs)[:8])) or "no column"
            msg = (
                f"types of cells expected in obs[{self.cell_type!r}] of the reference, found {found}: name one of those"
            )
            raise InputError(msg)
        number = np.unique(of_cell, return_inverse=True)[1]
        counts = np.bincount(number)
        matrix = sparse.csr_matrix((1 / counts[number], (number, np.arange(len(number)))))
        return matrix, counts / counts.sum()

    def _lay(
        self,
        profiles: Float[np.ndarray, "n_profiles n_genes"],
        spots: Float[np.ndarray, "n_spots n_genes"],
        share: Float[np.ndarray, " n_profiles"],
        density: Float[np.ndarray, " n_spots"],
    ) -> Float[np.ndarray, "n_profiles n_spots"]:
        """Return where each profile lies: rows that add up to 1."""
        start = np.random.default_rng(self.seed).standard_normal((len(profiles), len(spots)))
        place = torch.tensor(start, dtype=torch.float32, requires_grad=True)
        cells, truth = torch.tensor(profiles, dtype=torch.float32), torch.tensor(spots, dtype=torch.float32)
        weight, wanted = torch.tensor(share, dtype=torch.float32), torch.tensor(density, dtype=torch.float32)
        adam = torch.optim.Adam([place], lr=self.learning_rate)
        with epoch_progress(self.name, self.n_steps, unit="step") as on_step:
            for step in range(1, self.n_steps + 1):
                loss = self._loss(functional.softmax(place, dim=1) * weight[:, None], cells, truth, wanted)
                adam.zero_grad()
                loss.backward()
                adam.step()
                on_step(step, float(loss.detach()))
        return functional.softmax(place.detach().double(), dim=1).numpy()

    def _loss(self, laid: Tensor, cells: Tensor, truth: Tensor, density: Tensor) -> Tensor:
        """Return what is descended: `laid` (n_profiles, n_spots) adds up to 1."""
        found = laid.T @ cells
        loss = -functional.cosine_similarity(found, truth, dim=0).mean()
        if self.spot_weight:
            loss = loss - self.spot_weight * functional.cosine_similarity(found, truth, dim=1).mean()
        if self.density_weight:
            loss = loss + self.density_weight * functional.kl_div(laid.sum(dim=0).log(), density, reduction="sum")
        return loss
