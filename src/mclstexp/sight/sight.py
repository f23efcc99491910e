"""`Sight`: what a method sees of a place, one for all methods on frozen features, and what `Seen` of it looks like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float

from mclstexp.core.errors import InputError
from mclstexp.core.progress import counted
from mclstexp.core.tiles import Tiles
from mclstexp.data.neighbours import mean_of_neighbours
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.symmetries import N_SYMMETRIES, embed_symmetries
from mclstexp.sight.views import embed_views

COLOUR: Final = "colour"
"""Name of the encoder that measures it."""
COLOUR_WIDTHS: Final = (1.0, 2.0, 4.0, 8.0)
"""Widths, in tiles, at which stains are measured: 112 to 896 µm with the usual tile."""
COLOUR_PX: Final = 56
"""Side of a picture whose stains are measured: 2 µm a pixel with the usual tile, and coarser where it is wider."""
_N_MEANS: Final = 3
N_COLOUR: Final = 15
"""Means and standard deviations over the tile, then means of what is wider."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Features of places side by side: the tile's own, its wider views', its stains, and what lies around."""

    values: Float[np.ndarray, "n_tiles n_features"]
    """All of them, in that order."""
    n_own: int
    """Length of the tile's own."""
    n_views: int = 0
    """Length of the views' together."""
    n_colour: int = 0
    """How many numbers of its colour."""

    @property
    def n_place(self) -> int:
        """Length of what does not depend on other tiles: own, views and colour."""
        return self.n_own + self.n_views + self.n_colour

    @property
    def blocks(self) -> list[slice]:
        """Columns of the tile's own features, of each view, and of colour."""
        whole = self.n_own + self.n_views
        ends = [*range(self.n_own, whole + 1, self.n_own), *([self.n_place] if self.n_colour else [])]
        return [slice(start, stop) for start, stop in zip([0, *ends], ends, strict=False)]

    @property
    def widest(self) -> slice:
        """Columns of the widest view; the tile's own where there are no views."""
        stop = self.n_own + self.n_views
        return slice(stop - self.n_own, stop)

    @classmethod
    def join(cls, parts: Sequence[Seen]) -> Seen:
        """Put sections one below the other."""
        return replace(parts[0], values=np.concatenate([part.values for part in parts]))


@dataclass(frozen=True)
class Sight:
    """What is seen of a place, apart from what is learnt from it.

    Raises
    ------
    InputError
        If a width, radius or size is not positive.
    """

    encoder: str = "densenet121"
    """Frozen image encoder, a name of `create_encoder`."""
    view_widths: tuple[float, ...] = ()
    """Multiples of the tile's width at which the tissue around it is looked at too; see `embed_views`."""
    view_size_px: int | None = None
    """Side of such a view; None: half the tile's, or what the encoder takes."""
    symmetric: bool = False
    """Whether features are means over a tile's eight symmetries."""
    context_radii_um: tuple[float, ...] = ()
    """For each radius (µm) the mean features of the other tiles within it, of the widest view, join the place's."""
    colour: bool = False
    """Whether fifteen numbers of how it is stained join the encoder's features; see `colour_numbers`."""
    slide_scale: bool = False
    """Whether a slide's features are scaled by its own mean and standard deviation; see `SlideScale`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "view_widths", tuple(sorted(self.view_widths)))
        object.__setattr__(self, "context_radii_um", tuple(self.context_radii_um))
        for name in ("view_widths", "context_radii_um"):
            for length in getattr(self, name):
                if not (math.isfinite(length) and length > 0):
                    msg = f"option {name} must hold positive numbers, found {length!r}"
                    raise InputError(msg)
        if self.view_size_px is not None and self.view_size_px < 1:
            msg = f"option view_size_px must be at least 1, found {self.view_size_px}"
            raise InputError(msg)

    @property
    def is_plain(self) -> bool:
        """Whether nothing but the upright tile itself is seen."""
        return self == Sight(self.encoder, view_size_px=self.view_size_px)

    @property
    def context_um(self) -> float:
        """How far (µm) other tiles are looked at; wider views are pixels and do not count."""
        return max(self.context_radii_um, default=0.0)

    def text(self) -> str:
        """Say in words what is seen, for tables: "tile, x1 x2 x4, 8 symmetries, 300+600 µm around, slide's scale"."""
        parts = ["tile"]
        if self.view_widths:
            parts.append(" ".join(f"x{width:g}" for width in self.view_widths))
        if self.symmetric:
            parts.append("8 symmetries")
        if self.context_radii_um:
            parts.append("+".join(f"{radius:g}" for radius in self.context_radii_um) + " µm around")
        if self.colour:
            parts.append("colour")
        if self.slide_scale:
            parts.append("slide's scale")
        return ", ".join(parts)

    def place(self, tiles: Tiles) -> Seen:
        """Look at each tile by itself: own features, wider views, colour; taken from the cache or computed.

        Parameters
        ----------
        tiles
            Of one slide.
        """
        n_looks = (N_SYMMETRIES if self.symmetric else 1) * (1 + len(self.view_widths))
        with counted(f"embedding {tiles.slide.id}", len(tiles) * n_looks, unit="tile"):
            embed = embed_symmetries if self.symmetric else embed_tiles
            own = embed(tiles, self.encoder)
            own = own.mean(axis=1) if self.symmetric else own
            views = embed_views(
                tiles, self.encoder, widths=self.view_widths, size_px=self.view_size_px, symmetric=self.symmetric
            )
        colour = colour_numbers(tiles) if self.colour else np.zeros((len(tiles), 0), np.float32)
        values = np.concatenate([own, views, colour], axis=1)
        return Seen(values, n_own=own.shape[1], n_views=views.shape[1], n_colour=colour.shape[1])

    def around(self, seen: Seen, tiles: Tiles) -> Seen:
        """Join what lies around each place: means of the widest view over the other tiles within each radius.

        It says more about real sections than the mean of the tiles themselves.

        Parameters
        ----------
        seen
            What `place` returned, scaled or not.
        tiles
            The same tiles.
        """
        means = [
            mean_of_neighbours(seen.values[:, seen.widest], tiles.xy_um, radius_um=radius, array_xy=tiles.array_xy)
            for radius in self.context_radii_um
        ]
        return replace(seen, values=np.concatenate([seen.values[:, : seen.n_place], *means], axis=1))


def colour_numbers(tiles: Tiles) -> Float[np.ndarray, "n_tiles 15"]:
    """Measure how each place is stained, at several widths.

    Returns
    -------
    Mean and standard deviation of haematoxylin, eosin and optical density over the tile, then the means alone of what
    is twice, four and eight times as wide; of ready-made tiles, where nothing wider is to be seen, over the tile again.
    """
    widths = COLOUR_WIDTHS if tiles.slide.stored is None else COLOUR_WIDTHS[:1]
    first, *wider = (
        embed_views(tiles, COLOUR, widths=[width], size_px=min(COLOUR_PX, tiles.spec.size_px)) for width in widths
    )
    means = [part[:, :_N_MEANS] for part in wider] or [first[:, :_N_MEANS]] * (len(COLOUR_WIDTHS) - 1)
    return np.concatenate([first, *means], axis=1)
