"""The control that looks around: partial least squares on a tile's features and those of the tissue near it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import Predictor, State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_encoder, stored_number
from mclstexp.core.tiles import Tiles
from mclstexp.data.neighbours import mean_of_neighbours
from mclstexp.sight.embed import check_encoder, embed_tiles, frozen_encoder
from mclstexp.sight.numerics import numerics
from mclstexp.training.choice import choose, mean_pcc

N_COMPONENTS = (4, 8, 12, 16, 24)
"""What is tried on held-out training sections, the simplest first."""

MOST_FULL = 20_000
"""Training spots up to which components come from a full decomposition of the features."""


@register("pls")
@dataclass
class PLS(Predictor):
    """PLS regression (PLS2 by NIPALS, Wold et al. 1983) of expression on standardised features of a frozen encoder.

    A tile's own features are joined by the mean features of the tiles within each radius. Where spots are few and
    features and genes many, a dozen directions that covary with expression serve better than a penalty on all of
    them. Standardising, reduction and regression together are one affine map.
    """

    tuned_on: ClassVar[tuple[str, ...]] = ("mob_st",)  # its radii are those that the trials for mclstexp kept there

    encoder: str = "densenet121"
    """Frozen image encoder (a timm name, or one of `create_encoder`)."""
    context_radii_um: tuple[float, ...] = (300.0, 600.0)
    """For each radius (µm) the mean features of the tiles within it join the tile's own; () for none."""
    reduction: int = 256
    """Principal components of all features that PLS is given (fewer where there are fewer spots or features)."""
    n_components: int | None = None
    """Components of PLS (fewer where there are fewer spots or features); None: chosen on held-out training sections, 12
    where there is but one."""

    def __post_init__(self) -> None:
        if self.reduction < 1:
            msg = f"reduction must be at least 1, found {self.reduction}"
            raise InputError(msg)
        if self.n_components is not None and self.n_components < 1:
            msg = f"n_components must be at least 1, found {self.n_components}: leave it out to have it chosen"
            raise InputError(msg)
        self.context_radii_um = tuple(self.context_radii_um)

    @property
    def context_um(self) -> float:
        """How far (µm) a tile's prediction looks at other tiles."""
        return max(self.context_radii_um, default=0.0)

    def _numerics(self) -> dict[str, str]:
        return numerics(self, encoder=self.encoder)

    def _fit(self, sections: list[Section]) -> None:
        self.encoder_ = frozen_encoder(self.encoder)
        tried = N_COMPONENTS if self.n_components is None else (self.n_components,)
        fitted: dict[str, _Maps] = {}

        def score(fitted_on: list[Section], held_out: list[Section], n_components: int) -> float:
            split = " ".join(section.id for section in fitted_on)
            if split not in fitted:  # components are found one after the other: the largest number holds them all
                fitted.clear()
                fitted[split] = self._maps(fitted_on, n_components=max(tried))
            coef, intercept = fitted[split].affine(n_components)
            return mean_pcc(held_out, lambda s: self._features(s.tiles) @ coef + intercept, space=self.space_)

        self.n_components_ = choose(sections, tried, score, usual=12, in_turn=True)
        maps = self._maps(sections, n_components=self.n_components_)
        self.coef_, self.intercept_ = maps.affine(self.n_components_)

    def _maps(self, sections: Sequence[Section], *, n_components: int) -> _Maps:
        features = np.concatenate([self._features(section.tiles) for section in sections])
        expression = np.concatenate([self.space_(section.counts) for section in sections]).astype(np.float64)
        return _Maps.fit(features, expression, n_components=n_components, reduction=self.reduction)

    def _features(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_features"]:
        own = embed_tiles(tiles, self.encoder)
        around = [
            mean_of_neighbours(own, tiles.xy_um, radius_um=radius, array_xy=tiles.array_xy)
            for radius in self.context_radii_um
        ]
        return np.concatenate([own, *around], axis=1).astype(np.float64)

    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        per_sight = len(self.coef_) // (1 + len(self.context_radii_um))
        check_encoder(self.encoder, self.encoder_, n_features=per_sight)
        return np.asarray(self._features(tiles) @ self.coef_ + self.intercept_, np.float32)

    def _get_state(self) -> State:
        return State(
            arrays={"coef": self.coef_, "intercept": self.intercept_},
            meta={"n_components": self.n_components_, "encoder": self.encoder_},
        )

    def _set_state(self, state: State) -> None:
        self.encoder_, self.n_components_ = stored_encoder(state), stored_number(state, "n_components")
        layout = {"coef": "features genes", "intercept": "genes"}
        self.coef_, self.intercept_ = stored_arrays(state, layout, genes=len(self.genes_))


@dataclass(frozen=True)
class _Maps:
    """Fitted components, the first few of which are a fit of their own."""

    centre: Float[np.ndarray, " n_features"]
    mean: Float[np.ndarray, " n_genes"]
    rotations: Float[np.ndarray, "n_features n_components"]
    """Centred features to scores."""
    loadings: Float[np.ndarray, "n_genes n_components"]
    """Scores to what expression adds to its mean."""

    @classmethod
    def fit(
        cls,
        features: Float[np.ndarray, "n_spots n_features"],
        expression: Float[np.ndarray, "n_spots n_genes"],
        *,
        n_components: int,
        reduction: int,
    ) -> _Maps:
        centre, spread = features.mean(axis=0), features.std(axis=0)
        spread[spread == 0] = 1
        standard = features - centre
        standard /= spread
        # neither needs a seed, as a randomised one does; that of the covariance needs no second copy of many spots
        solver = "full" if len(features) <= MOST_FULL else "covariance_eigh"
        pca = PCA(min(reduction, *features.shape), svd_solver=solver).fit(standard)
        scores = pca.transform(standard)
        del standard
        with warnings.catch_warnings():
            # a direction whose power iterations stop early is still one, and what it misses the next takes up;
            # nothing is left to explain where all genes are constant
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", "y residual is constant")
            pls = PLSRegression(min(n_components, *scores.shape), scale=False, max_iter=1000, tol=1e-10)
            pls.fit(scores, expression)
        rotations = pca.components_.T @ pls.x_rotations_ / spread[:, None]
        return cls(centre=centre, mean=expression.mean(axis=0), rotations=rotations, loadings=pls.y_loadings_)

    def affine(
        self, n_components: int
    ) -> tuple[Float[np.ndarray, "n_features n_genes"], Float[np.ndarray, " n_genes"]]:
        """Return matrix and intercept of the first `n_components` components."""
        coef = self.rotations[:, :n_components] @ self.loadings[:, :n_components].T
        return coef, self.mean - self.centre @ coef
