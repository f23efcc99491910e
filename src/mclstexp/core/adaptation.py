"""Few-spot adaptation: what a measured corner of a new slide says about a model's errors on it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles

PENALTY: Final = 100.0
"""Of the ridge regression of errors, in spots; chosen on mob_2k across mice, see docs/adapt.md."""
SPOTS_OF_SHIFT: Final = 10.0
"""Spots that the model's own level counts as beside the corner's."""
N_COMPONENTS: Final = 5
"""Leading components of the model's predictions by which its errors are told."""
_MOST: Final = 3.0
"""Standard deviations beyond which a component says no more: the corner knows nothing there."""
_PREFIX: Final = "adaptation."

Values = Float[np.ndarray, "n n_genes"]


@dataclass(frozen=True, eq=False)
class Adaptation:
    """What is added to a model's predictions: a shift per gene, and what their own leading components tell."""

    shift: Float[np.ndarray, " n_genes"]
    """Mean error on the corner, shrunk."""
    coef: Float[np.ndarray, "n_components n_genes"]
    """By components of the prediction, in standard deviations of the corner's."""
    mean: Float[np.ndarray, " n_components"]
    """Of the components, on the corner."""
    spread: Float[np.ndarray, " n_components"]
    """Of the components, on the corner."""
    loadings: Float[np.ndarray, "n_genes n_components"]
    """That lead from a prediction to its components."""

    @classmethod
    def learn(cls, predicted: Values, truth: Values, *, penalty: float = PENALTY) -> Self:
        """Learn from a corner's spots.

        Parameters
        ----------
        predicted
            (n, n_genes) what the model says of them.
        truth
            (n, n_genes) what was measured, on the model's scale.
        penalty
            L2 penalty on standardised components, in spots; infinite: the shift alone.
        """
        predicted, truth = predicted.astype(np.float64), truth.astype(np.float64)
        n, n_genes = predicted.shape
        n_components = min(N_COMPONENTS, n - 1, n_genes)
        loadings = np.linalg.svd(predicted - predicted.mean(axis=0), full_matrices=False)[2][:n_components].T
        found = predicted @ loadings
        mean, spread = found.mean(axis=0), np.maximum(found.std(axis=0), 1e-9)
        errors = truth - predicted
        usual = errors.mean(axis=0)
        if np.isfinite(penalty):
            shown = np.clip((found - mean) / spread, -_MOST, _MOST)
            square = shown.T @ shown + penalty * np.eye(n_components)
            coef = np.linalg.solve(square, shown.T @ (errors - usual))
        else:
            coef = np.zeros((n_components, n_genes))
        return cls(usual * n / (n + SPOTS_OF_SHIFT), coef, mean, spread, loadings)

    def apply(self, predicted: Values) -> Float[np.ndarray, "n n_genes"]:
        """Return what the model says, adapted; float32."""
        shown = np.clip((predicted @ self.loadings - self.mean) / self.spread, -_MOST, _MOST)
        return np.asarray(predicted + self.shift + shown @ self.coef, np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return it as a saved model holds it, beside the model's own arrays."""
        return {f"{_PREFIX}{name}": value for name, value in vars(self).items()}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray], *, n_genes: int) -> tuple[Self | None, dict[str, np.ndarray]]:
        """Part a saved model's arrays: the adaptation, None where there is none, and the model's own.

        Raises
        ------
        InputError
            If a part is missing or of another shape.
        """
        own = {name: value for name, value in arrays.items() if not name.startswith(_PREFIX)}
        said = {name.removeprefix(_PREFIX): value for name, value in arrays.items() if name.startswith(_PREFIX)}
        if not said:
            return None, own
        n = said["loadings"].shape[-1] if "loadings" in said else 0
        shapes = {"shift": (n_genes,), "coef": (n, n_genes), "mean": (n,), "spread": (n,), "loadings": (n_genes, n)}
        if {name: value.shape for name, value in said.items()} != shapes or not all(
            np.isfinite(value).all() for value in said.values()
        ):
            msg = f"what a model was adapted by, for {n_genes} genes, expected, found another: copy the model again"
            raise InputError(msg)
        return cls(**said), own


def warn_if_seen(provenance: Mapping[str, Any], tiles: Tiles) -> None:
    """Warn where an adapted model is asked at the very spots it was adapted on, or of another slide."""
    said = provenance.get(keys.ADAPTED)
    if said is None:
        return
    if tiles.slide.fingerprint() != said["slide_sha256"]:
        text = (
            f"{tiles.slide.id}: the model was adapted to {said['section']}, and this is another slide: use the model "
        )
        warnings.warn(text + "as it was fitted", stacklevel=3)
        return
    known = np.column_stack([said["x_px"], said["y_px"]])
    n_seen = int((cKDTree(known).query(tiles.xy)[0] < 1).sum())
    if n_seen:
        text = (
            f"{tiles.slide.id}: {n_seen} of {len(tiles)} places are spots that the model was adapted on: leave them out"
        )
        warnings.warn(f"{text} of every score", stacklevel=3)
