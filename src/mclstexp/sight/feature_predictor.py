"""`FeaturePredictor`: what every method on features of a frozen encoder is; its options say what it sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float

from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.predictor import Predictor
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_encoder
from mclstexp.core.tiles import Tiles
from mclstexp.sight.fitted import FittedSight
from mclstexp.sight.numerics import numerics
from mclstexp.sight.sight import Seen, Sight
from mclstexp.sight.slide_scale import slide_scale


@dataclass
class FeaturePredictor(Predictor):
    """A method that learns from frozen features: the first of its options are those of its `Sight`.

    A subclass that was published with another sight says so by other defaults. It calls `_learn_sight` in `_fit`,
    then `_look` or `_look_at`; `_sight_state` is part of its state.
    """

    encoder: str = "densenet121"
    """Image encoder: a timm name, "efficientnet_lite0", "colour", "hf-hub:…", "NAME@FILE"."""
    view_widths: tuple[float, ...] = ()
    """The tissue around a place is read at these multiples of the tile's width too; () for none."""
    view_size_px: int | None = None
    """Side of such a view in pixels; None: half the tile's, or what the encoder takes."""
    symmetric: bool = False
    """Features are averaged over a tile's eight turned and mirrored copies: better, and eight times the work of an
    encoder whose features are not cached yet."""
    context_radii_um: tuple[float, ...] = ()
    """For each radius (µm) the mean features of the tiles within it join the place's; () for none."""
    colour: bool = False
    """Fifteen numbers of how the place is stained join the encoder's features."""
    slide_scale: bool = False
    """Features of a slide are scaled by the mean and spread of its own tissue, without labels: what stain and scanner
    do to all of a slide is taken out. Refused on slides that show fewer than 100 tiles of tissue."""

    def __post_init__(self) -> None:
        self.view_widths, self.context_radii_um = tuple(self.view_widths), tuple(self.context_radii_um)
        _ = self.sight  # checks it
        if self._tuned:
            self._require_plain("train_encoder or a checkpoint")

    @property
    def sight(self) -> Sight:
        """What it sees of a place."""
        return Sight(**{field.name: getattr(self, field.name) for field in fields(Sight)})

    @property
    def sees(self) -> str:
        """What it sees of a place, in the words of a table."""
        return self.sight.text()

    @property
    def context_um(self) -> float:
        """How far (µm) a tile's prediction looks at other tiles."""
        return self.sight.context_um

    @property
    def _tuned(self) -> bool:
        """Whether its encoder is fitted or comes fitted, so that no frozen features are looked at."""
        return False

    @property
    def _sees_features(self) -> bool:
        """Whether what it predicts from are frozen features, and not the pixels themselves."""
        return not self._tuned

    def _numerics(self) -> dict[str, str]:
        return numerics(self, encoder=self.encoder, tuned=self._tuned)

    def _stamps(self, tiles: Tiles) -> dict[str, Any]:
        stamps: dict[str, Any] = {"sees": self.sees}
        if self.sight.slide_scale and self.seen_ is not None:
            scale = slide_scale(tiles.slide, tiles.spec, self.sight)
            stamps["slide_scale_places"] = scale.n_places  # transductive: the slide was looked at as a whole
        return stamps

    def _require_plain(self, why: str) -> None:
        """Refuse a sight of more than the tile where the method learns from its pixels."""
        if not self.sight.is_plain:
            msg = (
                f"with {why} {self.name} sees the tile alone, found {self.sight.text()}: leave out views, symmetries, "
                "surroundings, colour and the slide's scale"
            )
            raise InputError(msg)

    def _learn_sight(self, sections: Sequence[Section], *, frozen: bool = True) -> None:
        """Set `seen_`, learnt from the training slides' pixels; None where no features are frozen."""
        self.seen_ = FittedSight.fit(self.sight, [section.tiles for section in sections]) if frozen else None

    def _look(
        self, tiles: Tiles, *, n_features: int | None = None, symmetry: int = 0
    ) -> Float[np.ndarray, "n_tiles n_features"]:
        """Return the features of tiles of one slide, float32; they must be as many as a model takes."""
        values = self._seen(tiles, symmetry=symmetry).values
        if n_features is not None:
            self._require_features(values, n_features)
        return values

    def _require_features(self, values: Float[np.ndarray, "n_tiles n"], n_features: int) -> None:
        """Refuse a model that takes another number of features than its encoder gives."""
        if n_features != values.shape[1]:
            msg = (
                f"a model of {values.shape[1]} features expected for {self.encoder}, found one of {n_features}: "
                "copy it again"
            )
            raise InputError(msg)

    def _look_at(self, sections: Sequence[Section]) -> Float[np.ndarray, "n_spots n_features"]:
        """Return the features of all spots, section by section."""
        return Seen.join([self._seen(section.tiles) for section in sections]).values

    def _seen(self, tiles: Tiles, *, symmetry: int = 0) -> Seen:
        assert self.seen_ is not None, self.name  # nobody looks who learnt from pixels
        return self.seen_.look(tiles, symmetry=symmetry)

    def _sight_state(self) -> State:
        """Return what a saved model keeps of what it sees."""
        return State(arrays={}, meta={"encoder": {}}) if self.seen_ is None else self.seen_.state()

    def _take_sight(self, state: State) -> None:
        """Set `seen_` from a saved state, which must say what was seen where features are predicted from."""
        said = stored_encoder(state)
        if self._sees_features and not said:
            msg = f"name and hash of the encoder of a saved {self.name} expected, found none: copy the model again"
            raise InputError(msg)
        self.seen_ = FittedSight.from_state(self.sight, state) if said else None


def learns_from_pixels(options: Mapping[str, Any]) -> bool:
    """Whether options show a method pixels to learn from, and no frozen features: then it has no sight to choose."""
    shown = (options.get("train_encoder"), options.get("checkpoint"), options.get("protocol") == "paper")
    return any(shown) or options.get("image") == "pixels"
