"""The control that sees how a place is stained, and nothing else: ridge regression on fifteen numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mclstexp.core.predictor import Predictor, State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_encoder
from mclstexp.core.tiles import Tiles
from mclstexp.methods.ridge import ALPHAS, fit_probe, tuning_splits
from mclstexp.sight.embed import check_encoder, frozen_encoder
from mclstexp.sight.numerics import numerics
from mclstexp.sight.sight import COLOUR, N_COLOUR, colour_numbers


@register("colour")
@dataclass
class Colour(Predictor):
    """Ridge regression on the haematoxylin, eosin and optical density of a place, at four widths.

    What it scores, no network was needed for: how dark tissue is says how many cells it holds, and so how much RNA.
    The numbers are those of `Sight.colour`; the penalty is chosen as that of `ridge`.
    """

    @property
    def sees(self) -> str:
        """What it sees of a place."""
        return "colour"

    def _numerics(self) -> dict[str, str]:
        return numerics(self, encoder=COLOUR)

    def _fit(self, sections: list[Section]) -> None:
        self.encoder_ = frozen_encoder(COLOUR)
        numbers = np.concatenate([colour_numbers(section.tiles) for section in sections]).astype(np.float64)
        expression = np.concatenate([self.space_(section.counts) for section in sections]).astype(np.float64)
        self.coef_, self.intercept_, _ = fit_probe(
            numbers, expression, n_components=N_COLOUR, alphas=ALPHAS, splits=tuning_splits(sections)
        )

    def _predict(self, tiles: Tiles) -> NDArray[np.float32]:
        check_encoder(COLOUR, self.encoder_)
        return np.asarray(colour_numbers(tiles).astype(np.float64) @ self.coef_ + self.intercept_, np.float32)

    def _get_state(self) -> State:
        return State(arrays={"coef": self.coef_, "intercept": self.intercept_}, meta={"encoder": self.encoder_})

    def _set_state(self, state: State) -> None:
        self.encoder_ = stored_encoder(state)
        layout = {"coef": "numbers genes", "intercept": "genes"}
        self.coef_, self.intercept_ = stored_arrays(state, layout, genes=len(self.genes_), numbers=N_COLOUR)
