"""Where the tiles of a slide lie, as its file of features says it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from jaxtyping import Float
from safetensors import safe_open

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide
from mclstexp.io.guard import guarded
from mclstexp.io.hdf5 import opened_hdf5

_WHAT: Final = "places of a slide's tiles"
_CENTRES, _CORNERS = "xy", "coords"
_SIDE: Final = "patch_size_level0"


@dataclass(frozen=True, eq=False)
class TilePlaces:
    """Places of tiles on their slide."""

    xy: Float[np.ndarray, "n_tiles 2"]
    """Centres, level-0 pixels."""
    side_px: float
    """Of a tile, in level-0 pixels."""
    slide_mpp: float | None = None
    """Micrometres per level-0 pixel; None where the file does not know."""
    of: Mapping[str, Any] = field(default_factory=dict)
    """Which slide it is, as `whole_slide.result.which` says it, where the file does."""

    def on(self, slide: Slide) -> Self:
        """Return them with the scale that the slide has.

        Raises
        ------
        InputError
            If one lies off the slide, or the file was made of another.
        """
        size = list(slide.size_px)
        if (known := self.of.get("slide_size_px", size)) != size:
            msg = f"the slide that was embedded ({known[0]} by {known[1]} pixels) expected, found {slide.id}: give it"
            raise InputError(msg)
        n_off = int(((self.xy < 0) | (self.xy > size)).any(axis=1).sum())
        if n_off:
            msg = f"tiles on the slide {slide.id} expected, found {n_off} of {len(self.xy)} off it: give their slide"
            raise InputError(msg)
        return replace(self, slide_mpp=slide.mpp)


@guarded(_WHAT)
def read_places(path: Path) -> TilePlaces:
    """Read where the tiles of a file of features lie.

    ``SLIDE.safetensors`` as ``mclstexp cohort features`` writes it has centres and which slide it was; an ``.h5`` as
    published pipelines write it has upper left corners ("coords", level-0 pixels), whose tiles are as wide as they lie
    apart where nothing else is said.

    Raises
    ------
    InputError
        If the file has no places, or too few to know how far they lie apart.
    """
    if path.suffix.lower() == ".safetensors":
        with safe_open(path, framework="numpy") as file:
            if _CENTRES in file.keys():  # noqa: SIM118  it is no mapping
                return _embedded(file.get_tensor(_CENTRES), file.metadata() or {}, path)
    if path.suffix.lower() == ".h5":
        with opened_hdf5(path, _WHAT) as file:
            if _CENTRES in file:
                xy = np.asarray(file[_CENTRES], np.float64)
                return TilePlaces(xy, _apart(xy, path))
            if _CORNERS in file:
                corners = np.asarray(file[_CORNERS], np.float64)
                side = float(file[_CORNERS].attrs.get(_SIDE, 0)) or _apart(corners, path)
                return TilePlaces(corners + side / 2, side)
    msg = f"{_WHAT} in {path} expected, found none: embed the slide with `mclstexp cohort features`"
    raise InputError(msg)


def _embedded(xy: np.ndarray, about: Mapping[str, str], path: Path) -> TilePlaces:
    places = np.asarray(xy, np.float64)
    of = json.loads(about.get("of", "{}"))
    if not about:
        return TilePlaces(places, _apart(places, path))
    side_um = float(about["mpp"]) * int(about["size_px"])
    mpp = of.pop("slide_mpp", None) or side_um / _apart(places, path)  # tiles lie side by side
    return TilePlaces(places, side_um / mpp, mpp, of)


def _apart(xy: Float[np.ndarray, "n 2"], path: Path) -> float:
    """Return how far columns or rows of a grid lie apart."""
    steps = [np.diff(np.unique(axis)) for axis in xy.T]
    steps = [step[step > 1] for step in steps if (step > 1).any()]  # nearer than a pixel is rounding
    if not steps:
        msg = f"tiles of more than one row or column in {path} expected, found {len(xy)}: embed more of the slide"
        raise InputError(msg)
    return float(min(step.min() for step in steps))
