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
from mclstexp.core.predictor import State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_number
from mclstexp.core.tiles import Tiles
from mclstexp.sight.feature_predictor import FeaturePredictor
from mclstexp.training.choice import choose, mean_pcc

N_COMPONENTS = (4, 8, 12, 16, 24)
"""What is tried on held-out training sections, the simplest first."""

MOST_FULL = 20_000
"""Training spots up to which components come from a full decomposition of the features."""


@register("pls")
@dataclass
class PLS(FeaturePredictor):
    """PLS regression (PLS2 by NIPALS, Wold et al. 1983) of expression on standardised features of a frozen encoder.

    A tile's own features are joined by the mean features of the tiles within each radius. Where spots are few and
    features and genes many, a dozen directions that covary with expression serve better than a penalty on all of
    them. Standardising, reduction and regression together are one affine map.
    """

    tuned_on: ClassVar[tuple[str, ...]] = ("mob_st",)  # its radii are those that the trials for mclstexp kept there

    context_radii_um: tuple[float, ...] = (300.0, 600.0)
    reduction: int = 256
    """Principal components of all features that PLS is given (fewer where there are fewer spots or features)."""
    n_components: int | None = None
    """Components of PLS (fewer where there are fewer spots or features); where None, the number is chosen on held-out
    training sections, and 12 where there is but one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reduction < 1:
            msg = f"reduction must be at least 1, found {self.reduction}"
            raise InputError(msg)
        if self.n_components is not None and self.n_components < 1:
            msg = f"n_components must be at least 1, found {self.n_components}: leave it out to have it chosen"
            raise InputError(msg)

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections)
        tried = N_COMPONENTS if self.n_components is None else (self.n_components,)
        fitted: dict[str, _Maps] = {}

        def score(fitted_on: list[Section], held_out: list[Section], n_components: int) -> float:
            split = " ".join(section.id for section in fitted_on)
            if split not in fitted:  # components are found one after the other: the largest number holds them all
                fitted.clear()
                fitted[split] = self._maps(fitted_on, n_components=max(tried))
            coef, intercept = fitted[split].affine(n_components)
            return mean_pcc(held_out, lambda s: self._look(s.tiles) @ coef + intercept, space=self.space_)

        self.n_components_ = choose(sections, tried, score, usual=12, in_turn=True)
        maps = self._maps(sections, n_components=self.n_components_)
        self.coef_, self.intercept_ = maps.affine(self.n_components_)

    def _maps(self, sections: Sequence[Section], *, n_components: int) -> _Maps:
        features = self._look_at(sections).astype(np.float64)
        expression = np.concatenate([self.space_(section.counts) for section in sections]).astype(np.float64)
        return _Maps.fit(
            features,
            expression,
            n_components=n_components,
            reduction=self.reduction,
            standardise=not self.slide_scale,
        )

    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        features = self._look(tiles, n_features=len(self.coef_)).astype(np.float64)
        return np.asarray(features @ self.coef_ + self.intercept_, np.float32)

    def _get_state(self) -> State:
        arrays = {"coef": self.coef_, "intercept": self.intercept_}
        return State(arrays=arrays, meta={"n_components": self.n_components_}).joined(self._sight_state())

    def _set_state(self, state: State) -> None:
        self._take_sight(state)
        self.n_components_ = stored_number(state, "n_components")
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
        standardise: bool = True,
    ) -> _Maps:
        centre = features.mean(axis=0)
        spread = features.std(axis=0) if standardise else np.ones_like(centre)
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
