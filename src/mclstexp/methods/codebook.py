"""The control that knows kinds of tissue, and nothing finer: the mean of the training spots of a tile's kind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays
from mclstexp.core.tiles import Tiles
from mclstexp.core.wording import shown
from mclstexp.data.folds import tuning_units
from mclstexp.methods.ridge import ALPHAS, fit_probe, tuning_splits
from mclstexp.sight.feature_predictor import FeaturePredictor
from mclstexp.training.residual_kmeans import Directions, fit_quantiser, levels_of, quantise, quantiser_of

_MOST_PATHS = 2**52  # numbered exactly by a float, as models store them


@register("codebook")
@dataclass
class CodebookPredictor(FeaturePredictor):
    """Each tile gets a few codes, coarse to fine; it is predicted the mean of the training spots with the same codes.

    Codes are those of k-means at the first level, and of k-means on what is left over at each further one. The mean of
    few spots is drawn towards that of the coarser codes; every patient counts alike. Scores of other methods beyond
    this one's are more than a name for the kind of tissue.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "flat": {"sizes": (128,)},
        "by_expression": {"on": "expression"},
    }

    sizes: tuple[int, ...] = (8, 32, 128)
    """Codes at each level, coarse to fine; one level is k-means."""
    on: Literal["image", "expression"] = "image"
    """What is divided into kinds: how tiles look (principal components of standardised features), or what ridge
    regression reads from their looks (principal components of its prediction)."""
    n_components: int = 64
    """Principal components that are divided (fewer where there are fewer)."""
    shrinkage: float = 20.0
    """A mean counts as much as the coarser one's where it is made of this many spots."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.sizes = tuple(self.sizes)
        if not self.sizes or min(self.sizes) < 1 or math.prod(self.sizes) > _MOST_PATHS:
            msg = f"sizes must be numbers of codes, each at least 1 and together few, found {self.sizes}"
            raise InputError(msg)
        if self.n_components < 1:
            msg = f"n_components must be at least 1, found {self.n_components}"
            raise InputError(msg)
        if not 0 <= self.shrinkage < math.inf:
            msg = f"shrinkage must be 0 or more, found {self.shrinkage}"
            raise InputError(msg)

    def codes(self, tiles: Tiles) -> tuple[Int[np.ndarray, "n_tiles n_levels"], Float[np.ndarray, " n_tiles"]]:
        """Return each tile's codes, coarse to fine, and how far its looks lie from what they stand for.

        The first code of a level stands for most of the training spots. Distances are in shares of the training spots'
        mean distance.

        Raises
        ------
        InputError
            As `predict`.
        """
        self._check_tiles(tiles)
        features = self._look(tiles, n_features=len(self.directions_.coef))
        codes, distance = quantise(self.quantiser_, self.directions_.apply(features))
        return codes, distance / float(self.usual_[0])

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections)
        features = self._look_at(sections)
        expression = np.concatenate([self.space_(section.counts) for section in sections])
        weights = patient_weights(sections)
        self.directions_ = self._directions(features, expression, sections)
        rows = self.directions_.apply(features)
        self.quantiser_ = fit_quantiser(rows, self.sizes, weights=weights, seed=self.seed)
        codes, distance = quantise(self.quantiser_, rows)
        self.usual_ = np.array([max(float(distance @ weights / weights.sum()), 1e-12)], np.float32)
        self.mean_ = np.asarray(weights @ expression / weights.sum(), np.float32)
        self.paths_, self.means_ = self._means(codes, expression, weights)

    def _directions(
        self,
        features: Float[np.ndarray, "n n_features"],
        expression: Float[np.ndarray, "n n_genes"],
        sections: list[Section],
    ) -> Directions:
        if self.on == "image":
            return Directions.principal(features, self.n_components, standardise=not self.slide_scale)
        coef, intercept, _ = fit_probe(
            features.astype(np.float64),
            expression.astype(np.float64),
            n_components=256,
            alphas=ALPHAS,
            splits=tuning_splits(sections),
            standardise=not self.slide_scale,
        )
        read = Directions(coef, intercept)
        kinds = Directions.principal(read.apply(features), self.n_components, standardise=False)
        return Directions(coef @ kinds.coef, intercept @ kinds.coef + kinds.intercept)

    def _means(
        self,
        codes: Int[np.ndarray, "n n_levels"],
        expression: Float[np.ndarray, "n n_genes"],
        weights: Float[np.ndarray, " n"],
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return, level by level, the paths of codes that training spots took, and the mean that each one predicts."""
        paths, means = [], []
        above, parents = self.mean_[None].astype(np.float64), np.zeros(len(codes), np.intp)
        for path in self._numbered(codes):
            seen, first, child = np.unique(path, return_index=True, return_inverse=True)
            size = np.bincount(child, weights=weights)
            total = np.zeros((len(seen), expression.shape[1]))
            np.add.at(total, child, expression * weights[:, None])
            above = (total + self.shrinkage * above[parents[first]]) / (size + self.shrinkage)[:, None]
            parents = child
            paths.append(seen.astype(np.float64))
            means.append(above.astype(np.float32))
        return paths, means

    def _numbered(self, codes: Int[np.ndarray, "n n_levels"]) -> list[Int[np.ndarray, " n"]]:
        """Return for each level a number that says the path down to it."""
        numbers, path = [], np.zeros(len(codes), np.int64)
        for size, code in zip(self.sizes, codes.T, strict=True):
            path = path * size + code
            numbers.append(path)
        return numbers

    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        codes, _ = self.codes(tiles)
        predicted = np.repeat(self.mean_[None], len(codes), axis=0)
        on_the_way = np.ones(len(codes), bool)
        for path, seen, means in zip(self._numbered(codes), self.paths_, self.means_, strict=True):
            place = np.minimum(np.searchsorted(seen, path), len(seen) - 1)
            on_the_way &= seen[place] == path
            predicted[on_the_way] = means[place[on_the_way]]
        return predicted

    def _get_state(self) -> State:
        arrays = {"coef": self.directions_.coef, "intercept": self.directions_.intercept, "usual": self.usual_}
        arrays["mean"] = self.mean_
        for level, codes in enumerate(levels_of(self.quantiser_)):
            arrays |= {f"codes.{level}": codes, f"paths.{level}": self.paths_[level]}
            arrays[f"means.{level}"] = self.means_[level]
        n_codes = [len(codes) for codes in levels_of(self.quantiser_)]
        return State(arrays=arrays, meta={"n_codes": n_codes}).joined(self._sight_state())

    def _set_state(self, state: State) -> None:
        self._take_sight(state)
        layout = {"coef": "features dim", "intercept": "dim", "usual": "one", "mean": "genes"}
        for level in range(len(self.sizes)):
            layout |= {f"codes.{level}": f"codes{level} dim", f"paths.{level}": f"paths{level}"}
            layout[f"means.{level}"] = f"paths{level} genes"
        coef, intercept, self.usual_, self.mean_, *levels = stored_arrays(state, layout, genes=len(self.genes_), one=1)
        self.directions_ = Directions(coef, intercept)
        found = [len(codes) for codes in levels[::3]]
        if found != state.meta.get("n_codes", found):  # models of older versions do not say
            msg = f"{shown(state.meta['n_codes'])} codes of a saved model expected, found {found}: copy the model again"
            raise InputError(msg)
        self.quantiser_ = quantiser_of(levels[::3])
        self.paths_, self.means_ = levels[1::3], levels[2::3]
        if not all((np.diff(seen) > 0).all() for seen in self.paths_):
            msg = "paths of a saved model in order expected, found others: copy the model again"
            raise InputError(msg)


def patient_weights(sections: Sequence[Section]) -> Float[np.ndarray, " n_spots"]:
    """Return a weight for each spot, of mean 1, by which patients count alike however many spots they have."""
    units = np.repeat(tuning_units(sections), [len(section) for section in sections])
    _, unit, size = np.unique(units, return_inverse=True, return_counts=True)
    return len(units) / len(size) / size[unit].astype(np.float64)
