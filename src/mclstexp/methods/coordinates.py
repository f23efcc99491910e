"""The control that knows where a tile lies and never looks at it: what a score owes to position alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import Predictor, State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_number
from mclstexp.core.tiles import Tiles
from mclstexp.training.choice import choose, mean_pcc

KS = (200, 100, 50, 25, 10)
"""What is tried on held-out training sections, the smoothest first."""
USUAL_K = 100


@register("coordinates")
@dataclass
class Coordinates(Predictor):
    """Mean expression of the k training spots that lie nearest, each seen from the centre of its own slide (µm).

    No pixel is read. It can see what sections share by lying alike on their slides: serial sections of one block,
    mounted and photographed alike. It cannot see that a section was shifted, turned or mirrored, and between
    patients its coordinates mean nothing: it should then score about 0, and a fold in which it does better says
    that position alone tells something there. The slide's centre, unlike the tissue's, is known without the other
    tiles, so that a tile's prediction depends on itself alone.
    """

    k: int | None = None
    """How many training spots are averaged (all of them where there are fewer); None: chosen on held-out training
    sections, 100 where there is but one."""

    @property
    def sees(self) -> str:
        """What it sees of a place."""
        return "where it lies"

    def __post_init__(self) -> None:
        if self.k is not None and self.k < 1:
            msg = f"k must be at least 1, found {self.k}: leave it out to have it chosen"
            raise InputError(msg)

    def _fit(self, sections: list[Section]) -> None:
        tried = KS if self.k is None else (self.k,)
        self.k_ = choose(sections, tried, self._score, usual=USUAL_K, in_turn=True)
        self.places_, self.expression_ = self._table(sections)

    def _score(self, fitted_on: list[Section], held_out: list[Section], k: int) -> float:
        places, expression = self._table(fitted_on)
        return mean_pcc(
            held_out, lambda section: _nearest_mean(places, expression, _places(section.tiles), k=k), space=self.space_
        )

    def _table(
        self, sections: Sequence[Section]
    ) -> tuple[Float[np.ndarray, "n_spots 2"], Float[np.ndarray, "n_spots n_genes"]]:
        places = np.concatenate([_places(section.tiles) for section in sections])
        return places, np.concatenate([self.space_(section.counts) for section in sections])

    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        return _nearest_mean(self.places_, self.expression_, _places(tiles), k=self.k_)

    def _get_state(self) -> State:
        return State(arrays={"places": self.places_, "expression": self.expression_}, meta={"k": self.k_})

    def _set_state(self, state: State) -> None:
        layout = {"places": "spots axes", "expression": "spots genes"}
        self.places_, self.expression_ = stored_arrays(state, layout, axes=2, genes=len(self.genes_))
        self.k_ = stored_number(state, "k", low=1)


def _places(tiles: Tiles) -> Float[np.ndarray, "n_tiles 2"]:
    """Return centres in µm from the middle of the slide."""
    return tiles.xy_um - np.array(tiles.slide.size_px) * tiles.slide.mpp / 2


def _nearest_mean(
    places: Float[np.ndarray, "n_spots 2"],
    expression: Float[np.ndarray, "n_spots n_genes"],
    queries: Float[np.ndarray, "n_tiles 2"],
    *,
    k: int,
) -> Float[np.ndarray, "n_tiles n_genes"]:
    """Average the expression of the k places nearest to each query."""
    # a list of ranks keeps the second axis where k is 1
    _, nearest = KDTree(places).query(queries, k=list(range(1, min(k, len(places)) + 1)))
    return np.stack([expression[rows].mean(axis=0) for rows in nearest])
