"""The control that is hard to beat: ridge regression on tile features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays
from mclstexp.core.tiles import Tiles
from mclstexp.data.folds import tuning_units
from mclstexp.sight.feature_predictor import FeaturePredictor

ALPHAS: Final = np.logspace(0, 6, 13)
"""Penalties that are tried."""
Splits = list[tuple[NDArray, NDArray]]
"""Rows to fit on and rows to choose by."""


@register("ridge")
@dataclass
class Ridge(FeaturePredictor):
    """Ridge regression on principal components of standardised features of a frozen encoder.

    The probe of HEST-Benchmark (Jaume et al. 2024), with an intercept.
    """

    n_components: int = 256
    """Principal components kept (fewer where there are fewer tiles or features)."""
    alpha: float | None = None
    """L2 penalty on the components; by default the best of 10^0 … 10^6 over held-out training patients."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_components < 1:
            msg = f"n_components must be at least 1, found {self.n_components}"
            raise InputError(msg)
        if self.alpha is not None and not self.alpha > 0:
            msg = f"alpha must be positive, found {self.alpha}: leave it out to have it chosen"
            raise InputError(msg)

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections)
        features = self._look_at(sections).astype(np.float64)
        expression = np.concatenate([self.space_(section.counts) for section in sections]).astype(np.float64)
        alphas = ALPHAS if self.alpha is None else np.array([self.alpha])
        splits = tuning_splits(sections) if self.alpha is None else None
        self.coef_, self.intercept_, self.alpha_ = fit_probe(
            features,
            expression,
            n_components=self.n_components,
            alphas=alphas,
            splits=splits,
            standardise=not self.slide_scale,
        )

    def _predict(self, tiles: Tiles) -> NDArray[np.float32]:
        features = self._look(tiles, n_features=len(self.coef_)).astype(np.float64)
        return np.asarray(features @ self.coef_ + self.intercept_, np.float32)

    def _get_state(self) -> State:
        arrays = {"coef": self.coef_, "intercept": self.intercept_}
        return State(arrays=arrays, meta={"alpha": self.alpha_}).joined(self._sight_state())

    def _set_state(self, state: State) -> None:
        self._take_sight(state)
        layout = {"coef": "features genes", "intercept": "genes"}
        self.coef_, self.intercept_ = stored_arrays(state, layout, genes=len(self.genes_))
        self.alpha_ = state.meta["alpha"]


def fit_probe(
    features: Float[np.ndarray, "n_tiles n_features"],
    values: Float[np.ndarray, "n_tiles n_values"],
    *,
    n_components: int,
    alphas: Float[np.ndarray, " n_alphas"],
    splits: Splits | None,
    standardise: bool = True,
) -> tuple[Float[np.ndarray, "n_features n_values"], Float[np.ndarray, " n_values"], float]:
    """Fit a ridge regression on principal components of standardised features.

    Parameters
    ----------
    features, values
        Of the training tiles, float64.
    n_components
        Principal components kept (fewer where there are fewer tiles or features).
    alphas
        L2 penalties to choose from.
    splits
        Rows to fit on and to choose by; None: leave out single tiles.
    standardise
        Whether each feature is brought to unit variance first; not where they are on one scale already.

    Returns
    -------
    Matrix and intercept of the whole, which is affine, and the penalty.
    """
    scaler = StandardScaler(with_std=standardise).fit(features)
    # a full decomposition, unlike a randomised one, needs no seed
    pca = PCA(min(n_components, *features.shape), svd_solver="full")
    components = pca.fit_transform(scaler.transform(features))
    ridge = RidgeCV(alphas, cv=splits, scoring="neg_mean_squared_error").fit(components, values)
    spread = np.ones(features.shape[1]) if scaler.scale_ is None else scaler.scale_
    coef = ridge.coef_.reshape(values.shape[1], -1) @ pca.components_ / spread
    intercept = np.atleast_1d(ridge.intercept_) - coef @ scaler.mean_ - coef @ (pca.mean_ * spread)
    return coef.T.copy(), intercept, float(ridge.alpha_)


def tuning_splits(sections: list[Section]) -> Splits | None:
    """Row splits by patient (by section within one, or where none is known); None: leave out single spots."""
    patients = tuning_units(sections)
    units = patients if len(set(patients)) > 1 else [section.id for section in sections]
    n_units = len(set(units))
    if n_units < 2:
        return None
    groups = np.repeat(units, [len(section) for section in sections])
    return list(GroupKFold(min(5, n_units)).split(groups, groups=groups))
