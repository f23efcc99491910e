"""A model that draws maps instead of averaging: a measured spot at each tile, as different as tissue is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from jaxtyping import Float

from mclstexp.core.drawing import drawn_spots
from mclstexp.core.errors import InputError
from mclstexp.core.predictor import Predictor, State
from mclstexp.core.retrieval import Retrieval
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles

LENGTH_UM: Final = 200.0
"""Distance over which draws change, where none is said: about the pitch of spots on arrays."""


class _Asking(Predictor):
    """Has a fitted model to ask; no dataclass, for that is no option."""

    model_: Predictor


@dataclass
class Drawn(_Asking):
    """A fitted model whose predictions are draws from the spots it retrieves, in place of their mean.

    A mean of many spots is smoother than tissue and its genes go together more than tissue's; a draw has a measured
    spot's expression at every tile, noise of counts included. Nothing is fitted: see `Drawn.of`.
    """

    seed: int = 0
    """Of the draw; another one draws another map of the same tissue."""
    length_um: float = LENGTH_UM
    """Distance over which the draw changes, where tissue is alike."""

    @classmethod
    def of(cls, model: Predictor, *, seed: int = 0, length_um: float = LENGTH_UM) -> Self:
        """Let a fitted model draw.

        Parameters
        ----------
        model
            A fitted one that keeps measured spots (`Predictor.retrieve`).
        seed, length_um
            See the fields.

        Raises
        ------
        InputError
            If the model is not fitted or keeps no spots, or the length is not positive.
        """
        if not model.is_fitted:
            msg = f"a fitted model expected, found {model.name} before fit: call fit(sections) first"
            raise InputError(msg)
        if not length_um > 0:
            msg = f"a positive length in µm expected, found {length_um:g}: 100 is the distance of Visium's spots"
            raise InputError(msg)
        if type(model)._retrievals is Predictor._retrievals:
            msg = (
                f"a method that retrieves measured spots expected to draw from, found {model.name}, which keeps none: "
                "fit mclstexp, bleep, st_gchb or knn"
            )
            raise InputError(msg)
        drawn = cls(seed, float(length_um))
        drawn.model_, drawn.space_, drawn.spec_ = model, model.space_, model.spec_
        drawn.name = model.name  # type: ignore[misc]  # of whom it draws
        sample = {"seed": seed, "length_um": float(length_um)}
        drawn.provenance_ = {**model.provenance_, "sample": sample}
        return drawn

    @property
    def context_um(self) -> float:
        """How far (µm) a tile's prediction looks at other tiles."""
        return self.model_.context_um

    def _fit(self, sections: list[Section]) -> None:
        msg = (
            f"a fitted model expected to draw from, found {len(sections)} sections: fit a method, then Drawn.of(model)"
        )
        raise InputError(msg)

    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        retrievals = self.model_._retrievals(tiles)
        of_slide = hashlib.sha256(f"{self.seed} {tiles.slide.id}".encode()).digest()
        rows = drawn_spots(
            retrievals, xy_um=tiles.xy_um, seed=int.from_bytes(of_slide[:7], "little"), length_um=self.length_um
        )
        return retrievals[0].expression[rows]  # type: ignore[index]  # `drawn_spots` asked

    def _reference_distance(self, tiles: Tiles) -> Float[np.ndarray, " n_tiles"] | None:
        return self.model_._reference_distance(tiles)

    def _retrievals(self, tiles: Tiles) -> tuple[Retrieval, ...]:
        return self.model_._retrievals(tiles)

    def _numerics(self) -> dict[str, str]:
        return self.model_._numerics()

    def _get_state(self) -> State:
        return self.model_._get_state()

    def _set_state(self, state: State) -> None:
        self.model_._set_state(state)
