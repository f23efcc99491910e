"""`Generator`: what every method is that paints tissue for features of a tile."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Self, final

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import ArrayLike

from mclstexp._version import __version__
from mclstexp.core import identity
from mclstexp.core.code import source_hash
from mclstexp.core.doors import method_option
from mclstexp.core.errors import InputError
from mclstexp.core.method import Method, State, described
from mclstexp.core.options import build, without_paths
from mclstexp.core.progress import in_order
from mclstexp.core.room import Room
from mclstexp.core.section import UNKNOWN, Section, check_sections
from mclstexp.core.stored import stored_number
from mclstexp.core.tiles import Tiles, TileSpec

ROOM: Final[Room[Generator]] = Room("mclstexp.generation", question="generation")
register = ROOM.register
Pictures = UInt8[np.ndarray, "n side side 3"]
Features = Float[np.ndarray, "n n_features"]


class Generator(Method):
    """A method that learns what tiles of given frozen features look like, and paints others.

    Subclasses are dataclasses whose fields are their options, `side_px` among them: every option has a default and a
    sentence under it. They write `_fit`, `_look`, `_generate`, `_paint`, `_get_state` and `_set_state`; the public
    methods check and are final. Expression is never shown to it: of the training sections it gets the tiles alone.
    """

    side_px: int
    spec_: TileSpec
    """Tiles whose features it was taught; set by `fit`."""
    n_features_: int
    """Length of a tile's features; set by `fit`."""
    _workdir: Path | None = None

    @property
    def made_(self) -> TileSpec:
        """Size and scale of what it paints: the same tissue as the tiles it was taught, in `side_px` pixels."""
        return TileSpec(self.side_px, self.spec_.size_um / self.side_px)

    @final
    def fit(self, sections: Sequence[Section], *, workdir: Path | None = None) -> Self:
        """Learn from the tiles of training sections; everything learnt is learnt from these alone.

        Parameters
        ----------
        sections
            Training sections, all read with one `TileSpec`; their counts are not looked at.
        workdir
            Folder for checkpoints: an interrupted fit of the same (options, tiles, encoder, code) goes on from there.

        Raises
        ------
        InputError
            If there is no section, names repeat, specs differ, or only ready-made tiles exist of another size.
        """
        sections = check_sections(sections)
        specs = {section.tiles.spec for section in sections}
        if len(specs) > 1:
            msg = f"all training sections must be read with one tile spec, found {sorted(map(str, specs))}"
            raise InputError(msg)
        self.__dict__.pop("provenance_", None)
        self.spec_ = sections[0].tiles.spec
        tiles = [section.tiles for section in sections]
        for part in tiles:
            self._require_pixels(part)
        about = described(self)
        if workdir is not None:
            parts = [identity.of_tiles(part) for part in tiles]
            self._workdir = workdir / identity.of("generator", {**about, "source": source_hash()}, parts)
        with in_order([part.slide.id for part in tiles]):
            self.n_features_ = self._fit(tiles)
        self._workdir = None
        self.provenance_ = {
            "question": "generation",
            "method": self.name,
            "version": __version__,
            "options": without_paths(about["options"]),
            "numerics": about["numerics"],
            "sections": {section.id: identity.of_tiles(section.tiles) for section in sections},
            "patients": sorted({section.patient or UNKNOWN for section in sections}),
            "n_tiles": sum(map(len, tiles)),
        }
        return self

    @final
    def look(self, tiles: Tiles) -> Features:
        """Return the frozen features by which it is asked for a picture like each of these tiles.

        Parameters
        ----------
        tiles
            Of any slide, read with the spec the method was fitted on.

        Raises
        ------
        InputError
            If the method is not fitted, the tiles' spec differs, or the encoder's weights are others.
        """
        self._require_fit()
        if tiles.spec != self.spec_:
            msg = f"tiles must be read with {self.spec_}, found {tiles.spec}: use tiles.with_spec(generator.spec_)"
            raise InputError(msg)
        return self._checked(self._look(tiles))

    @final
    def generate(self, features: ArrayLike, *, seed: int = 0) -> Pictures:
        """Paint a tile for each row of features.

        Parameters
        ----------
        features
            (n, n_features) as `look` returns them, or between such.
        seed
            Of what features do not say. A row's picture depends on its features, its number and the seed, on no other.

        Returns
        -------
        (n, side, side, 3) RGB of `made_`.

        Raises
        ------
        InputError
            If the method is not fitted, or features are of another length or not finite.
        RuntimeError
            If the method returned another shape.
        """
        self._require_fit()
        features = self._checked(features)
        pictures = self._generate(features, seed)
        self._require_shape(pictures, (len(features), self.side_px, self.side_px, 3))
        return pictures

    @final
    def paint(self, grid: ArrayLike, *, seed: int = 0, endless: bool = False) -> UInt8[np.ndarray, "height width 3"]:
        """Paint one picture from a grid of features, a tile wide and high for each.

        Parameters
        ----------
        grid
            (rows, columns, n_features) what each place asks for; neighbours fade into each other.
        seed
            Of what features do not say.
        endless
            Whether the right edge goes on at the left one and the lower at the upper: laid side by side, pictures have
            no seam.

        Raises
        ------
        InputError, RuntimeError
            As `generate`.
        """
        self._require_fit()
        asked = np.asarray(grid, np.float32)
        if asked.ndim != 3 or 0 in asked.shape:
            msg = f"a grid of features (rows, columns, {self.n_features_}) expected, found shape {asked.shape}"
            raise InputError(msg)
        self._checked(asked.reshape(-1, asked.shape[2]))
        picture = self._paint(asked, seed, endless=endless)
        self._require_shape(picture, (asked.shape[0] * self.side_px, asked.shape[1] * self.side_px, 3))
        return picture

    @final
    def get_state(self) -> State:
        """Return all that painting needs beyond the options."""
        return State({}, {"spec": asdict(self.spec_), "n_features": self.n_features_}).joined(self._get_state())

    @final
    def set_state(self, state: State) -> None:
        """Take back what `get_state` returned."""
        self.spec_ = build(TileSpec, state.meta.get("spec", {}), where="a saved generator's tiles")
        self.n_features_ = stored_number(state, "n_features", low=1)
        self._set_state(state)

    def said_of(self, seed: int, **what: Any) -> dict[str, Any]:
        """Return what is written into every picture: that it is synthetic, and how it was made.

        Parameters
        ----------
        seed
            Of the picture.
        what
            What else is known of it, such as the section whose features were asked for.
        """
        self._require_fit()
        made = self.provenance_
        return {
            "synthetic": True,
            **{name: made[name] for name in ("method", "version", "numerics", "patients")},
            # h5ad keeps no None and no nested tuple: options travel as text
            "options": {name: repr(value) for name, value in made["options"].items()},
            "learnt_from": sorted(made["sections"]),
            "mpp": self.made_.mpp,
            "seed": seed,
            **what,
        }

    def _require_fit(self) -> None:
        if not self.is_fitted:
            msg = f"{self.name or type(self).__name__} must be fitted before it paints: call fit(sections) first"
            raise InputError(msg)

    def _require_pixels(self, tiles: Tiles) -> None:
        if tiles.slide.stored is not None and tiles.slide.stored != self.made_:
            own = method_option("side_px", tiles.slide.stored.size_px)
            msg = (
                f"pixels of {tiles.slide.id} at {self.made_} expected, found ready-made tiles alone: give the slide "
                f"itself, or ask for pictures of their size with {own}"
            )
            raise InputError(msg)

    def _checked(self, given: ArrayLike) -> Features:
        features = np.asarray(given, np.float32)
        if features.ndim != 2 or features.shape[1] != self.n_features_ or not np.isfinite(features).all():
            msg = (
                f"finite features (n, {self.n_features_}) expected, found shape {features.shape} or numbers that are "
                "not finite: give what look(tiles) returns"
            )
            raise InputError(msg)
        return features

    def _require_shape(self, pictures: np.ndarray, shape: tuple[int, ...]) -> None:
        if pictures.shape != shape or pictures.dtype != np.uint8:
            msg = f"{self.name} returned {pictures.dtype} of shape {pictures.shape} (expected uint8 of {shape})"
            raise RuntimeError(msg)

    @abstractmethod
    def _fit(self, tiles: list[Tiles]) -> int:
        """Learn, and return the length of features; `spec_` and `_workdir` are set."""

    @abstractmethod
    def _look(self, tiles: Tiles) -> Features:
        """Return frozen features of tiles."""

    @abstractmethod
    def _generate(self, features: Features, seed: int) -> Pictures:
        """Return a picture for each row."""

    @abstractmethod
    def _paint(
        self, grid: Float[np.ndarray, "rows columns n_features"], seed: int, *, endless: bool
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Return one picture."""

    @abstractmethod
    def _get_state(self) -> State:
        """Return all that painting needs beyond the options."""

    @abstractmethod
    def _set_state(self, state: State) -> None:
        """Take back what `_get_state` returned."""
