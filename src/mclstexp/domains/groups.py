"""Points to groups: principal components, k-means, and mixtures of one shape."""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Float, Int
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

Values = Float[np.ndarray, "n_spots dim"]
Groups = Int[np.ndarray, " n_spots"]


def principal(values: Values, n_components: int, *, seed: int) -> Float[np.ndarray, "n_spots n_found"]:
    """Return the first principal components, fewer where there are fewer spots or columns."""
    with np.errstate(invalid="ignore"):  # values that are all the same vary by no share
        return PCA(min(n_components, *values.shape), random_state=seed).fit_transform(values.astype(np.float64))


def scaled(features: Values) -> Values:
    """Centre each column and scale it to standard deviation 1; a constant one becomes 0."""
    features = features.astype(np.float64)
    spread = features.std(axis=0)
    return (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)


def k_means(points: Values, n_domains: int, *, seed: int) -> Groups:
    """Cut points by k-means, the best of ten starts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different points than domains: said by who asks
        return KMeans(n_domains, init="k-means++", n_init=10, random_state=seed).fit_predict(points)


def mixture(points: Values, n_domains: int, *, seed: int) -> Groups:
    """Cut points by a Gaussian mixture with one covariance for all (mclust's model EEE), the best of ten starts.

    mclust starts from a hierarchical clustering, this from k-means: likelihood and model are the same, local optima may
    differ.
    """
    model = GaussianMixture(n_domains, covariance_type="tied", n_init=10, reg_covar=1e-6, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the best start is taken as far as it got
        return model.fit_predict(points)
