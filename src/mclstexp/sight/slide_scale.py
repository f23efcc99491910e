"""A slide's own scale: features by the mean and spread of its tissue, so that stain and scanner move them less."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from mclstexp.core.doors import method_option
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.data.tissue import find_tissue
from mclstexp.sight.embed import frozen_encoder
from mclstexp.sight.sight import Seen, Sight

N_PLACES: Final = 300
"""About so many places of a slide are looked at."""
LEAST_PLACES: Final = 100
"""Of fewer a slide's own mean and spread are not known well enough."""
_PLACES_OF_MEAN: Final = 25.0
_PLACES_OF_SPREAD: Final = 75.0
"""Places that the training slides count as beside the slide's own: a spread is known less well than a mean."""
_FLOOR: Final = 0.5
"""Share of the usual spread that is added to all: what hardly ever shows would be blown up where it does."""


@dataclass(frozen=True, eq=False)
class SlideScale:
    """Mean and standard deviation of the rooted features of a slide's tissue."""

    mean: Float[np.ndarray, " n_features"]
    """float32."""
    spread: Float[np.ndarray, " n_features"]
    """float32."""
    n_places: int
    """How many places they come from."""

    @classmethod
    def pooled(cls, scales: Sequence[SlideScale]) -> SlideScale:
        """Return the mean over slides of their means, and of the spreads within them."""
        mean, spread = (
            np.stack(parts).mean(axis=0) for parts in zip(*((s.mean, s.spread) for s in scales), strict=True)
        )
        return cls(mean, spread, sum(scale.n_places for scale in scales))

    def apply(self, seen: Seen, *, training: SlideScale) -> Seen:
        """Scale what is seen of this slide, shrunk towards the training slides.

        Features x become (r - m) / (s + f / 2) with r = sign(x) √|x|, of which a few large ones say less; of n places,
        m = w m_slide + (1 - w) m_training with w = n / (n + 25) and s alike with n / (n + 75); f is the median of the
        training spreads over features of a kind (the tile's own, a view's, colour's). They are on one scale then: to
        standardise each again would blow up what f holds down.
        """
        kept = [self.n_places / (self.n_places + places) for places in (_PLACES_OF_MEAN, _PLACES_OF_SPREAD)]
        mean = kept[0] * self.mean + (1 - kept[0]) * training.mean
        spread = kept[1] * self.spread + (1 - kept[1]) * training.spread
        for block in seen.blocks:
            spread[block] += _FLOOR * np.median(training.spread[block])
        scaled = (rooted(seen.values) - mean) / np.where(spread > 0, spread, 1)
        return replace(seen, values=scaled.astype(np.float32))


def rooted(values: Float[np.ndarray, "n_tiles n_features"]) -> Float[np.ndarray, "n_tiles n_features"]:
    """Return the root of each value, with its sign."""
    return np.sign(values) * np.sqrt(np.abs(values))


_known: WeakKeyDictionary[Slide, dict[tuple[Sight, TileSpec, str], SlideScale]] = WeakKeyDictionary()


def slide_scale(slide: Slide, spec: TileSpec, sight: Sight) -> SlideScale:
    """Look at a fixed grid over a slide's tissue; never at the tiles that are asked, so that no answer moves with them.

    No expression is looked at. It is transductive all the same: a slide is seen as a whole before its tiles are.

    Parameters
    ----------
    slide
        The slide; asked again, it is not looked at again.
    spec
        Size and scale of the tiles.
    sight
        What is seen of each place; what lies around them is not.

    Raises
    ------
    InputError
        If the slide shows fewer than `LEAST_PLACES` tiles of tissue.
    """
    sight = replace(sight, context_radii_um=())
    key = (sight, spec, frozen_encoder(sight.encoder)["precision"])
    scales = _known.setdefault(slide, {})
    if key not in scales:
        values = rooted(sight.place(places_of(slide, spec)).values.astype(np.float64))
        mean, spread = values.mean(axis=0).astype(np.float32), values.std(axis=0).astype(np.float32)
        scales[key] = SlideScale(mean, spread, len(values))
    return scales[key]


def places_of(slide: Slide, spec: TileSpec) -> Tiles:
    """Lay the grid that tells a slide's scale: about `N_PLACES` tiles over all of its tissue, side by side at most.

    Of a slide of which only ready-made tiles exist, those are the places, every so many of them.

    Raises
    ------
    InputError
        As `slide_scale`.
    """
    if slide.stored is not None:
        xy = slide.stored_xy()
        xy = xy[np.lexsort((xy[:, 0], xy[:, 1]))][:: max(1, len(xy) // N_PLACES)]
        tiles = Tiles(slide=slide, xy=xy, ids=np.arange(len(xy)).astype(np.str_), spec=spec)
    else:
        regions = find_tissue(slide)
        pitch_um = max(spec.size_um, math.sqrt(regions.area_um2(slide.mpp) / N_PLACES))
        tiles = Tiles.grid(slide, spec=spec, stride_um=pitch_um)
        tiles = tiles.take(regions.locate(tiles.xy) >= 0)
    if len(tiles) < LEAST_PLACES:
        msg = (
            f"{slide.id}: at least {LEAST_PLACES} tiles of {spec.size_um:g} µm of tissue expected, to know the slide's "
            f"own scale, found {len(tiles)}: fit a model with {method_option('slide_scale', value=False)}"
        )
        raise InputError(msg)
    return tiles
