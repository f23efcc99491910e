"""`FittedSight`: a sight as training left it, with what a saved model must remember of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mclstexp.core.method import State
from mclstexp.core.stored import stored_arrays, stored_encoder, stored_number
from mclstexp.core.tiles import Tiles
from mclstexp.sight.embed import check_encoder, frozen_encoder
from mclstexp.sight.sight import Seen, Sight
from mclstexp.sight.slide_scale import SlideScale, slide_scale
from mclstexp.sight.symmetries import turned


@dataclass(frozen=True, eq=False)
class FittedSight:
    """What is seen, by which weights, and the scale of the training slides."""

    sight: Sight
    """What is seen."""
    encoder: dict[str, str]
    """What `frozen_encoder` said at the fit."""
    training: SlideScale | None
    """Mean and spread of the training slides; None where slides are not scaled."""

    @classmethod
    def fit(cls, sight: Sight, tiles: Sequence[Tiles]) -> FittedSight:
        """Remember the encoder and, where slides are scaled, what training slides look like.

        Parameters
        ----------
        sight
            What is to be seen.
        tiles
            Of each training section.

        Raises
        ------
        InputError
            If the encoder cannot be had, or a slide shows too little tissue for a scale of its own.
        """
        training = None
        if sight.slide_scale:
            training = SlideScale.pooled([slide_scale(part.slide, part.spec, sight) for part in tiles])
        return cls(sight, frozen_encoder(sight.encoder), training)

    def look(self, tiles: Tiles, *, symmetry: int = 0) -> Seen:
        """Look at tiles of one slide; from the cache or computed.

        Parameters
        ----------
        tiles
            Where to look.
        symmetry
            In which of the eight, see `turned`.

        Raises
        ------
        InputError
            If the encoder's weights are not those of the fit, or the slide shows too little tissue.
        """
        return self.sight.around(self.place(tiles, symmetry=symmetry), tiles)

    def place(self, tiles: Tiles, *, symmetry: int = 0) -> Seen:
        """Look at each tile by itself, as `look` does before it looks around."""
        check_encoder(self.sight.encoder, self.encoder)
        seen = self.sight.place(turned(tiles, number=symmetry))
        if self.training is None:
            return seen
        return slide_scale(tiles.slide, tiles.spec, self.sight).apply(seen, training=self.training)

    def state(self, of: str = "slides") -> State:
        """Return what a saved model keeps of it; the scale under the name `of`."""
        meta: dict[str, Any] = {"encoder": self.encoder}
        if self.training is None:
            return State(arrays={}, meta=meta)
        arrays: dict[str, np.ndarray] = {f"{of}.mean": self.training.mean, f"{of}.spread": self.training.spread}
        return State(arrays=arrays, meta={**meta, f"{of}_places": self.training.n_places})

    @classmethod
    def from_state(cls, sight: Sight, state: State, of: str = "slides") -> FittedSight:
        """Take back what `state` returned.

        Raises
        ------
        InputError
            If something is missing or of another shape.
        """
        training = None
        if sight.slide_scale:
            mean, spread = stored_arrays(state, {f"{of}.mean": "place", f"{of}.spread": "place"})
            training = SlideScale(mean, spread, stored_number(state, f"{of}_places", low=1))
        return cls(sight, stored_encoder(state), training)
