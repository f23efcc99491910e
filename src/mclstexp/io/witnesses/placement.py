"""A section's spots against its image: inside it, on tissue, the right way round, each at a place of its own."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy import ndimage

from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles
from mclstexp.io.witnesses.evidence import Finding
from mclstexp.io.witnesses.thumbnails import thumbnail

_TISSUE_SATURATION: Final = 0.07
"""Saturation (HSV) above which a pixel is taken for stained tissue rather than glass."""
_GREY: Final = 0.005
"""Share of saturated pixels below which a picture has no colours to tell tissue by."""
_BLACK: Final = 12
"""Brightness (of 255) of spots below which a picture shows nothing."""
_BRIGHTEST: Final = 98
"""Percentile that stands for a picture's brightest."""
_LIT: Final = 160
"""Brightness of the darkest colour that glass, or the palest of stained tissue, exceeds."""
_GREY_STEPS: Final = 6
"""Steps of 255 by which the colours of a grey picture differ at most, once it was saved as a JPEG."""
_LARGEST: Final = 256
"""Rows or columns beyond those of any array of spots: Visium's has 224 at most, Visium HD's bins of 16 µm 419."""
_DARK: Final = 0.85
"""Brightness below which a pixel of a grey picture is tissue."""


def weigh_section(section: Section) -> list[Finding]:
    """Return what is wrong with where a section's spots lie, the gravest first."""
    outside = ~_inside(section.tiles.xy, section)
    if outside.mean() > 0.5:
        return [_mostly_outside(section, outside)]
    shares = tissue_shares(section)
    mirrored = _mirrored(section)
    found = [_swapped(shares, mirrored=mirrored)]
    if outside.any():
        found.append(Finding("outside", f"{_outside_text(section, outside)}: their tiles are white there"))
    found += [_shared(section), _turned(shares, mirrored=mirrored), _black(section)]
    return [finding for finding in found if finding is not None]


def tissue_shares(section: Section) -> dict[str, float]:
    """Return the share of spots that lie on tissue as they are, and if their places were turned, flipped or shifted.

    Tissue is what is more saturated than glass on a thumbnail (darker, if the picture has no colours), closed over
    small holes.
    """
    xy, (width, height) = section.tiles.xy, section.tiles.slide.size_px
    turned = {"as they are": xy}
    if any(corner := section.tiles.slide.bounds_px[:2]):
        turned["counted from the slide's bounds"] = xy + np.array(corner)
    turned |= {
        "x and y swapped": xy[:, ::-1],
        "flipped left to right": np.column_stack([width - xy[:, 0], xy[:, 1]]),
        "flipped top to bottom": np.column_stack([xy[:, 0], height - xy[:, 1]]),
        "turned by 180°": np.array([width, height]) - xy,
        "turned by 90° clockwise": np.column_stack([width - xy[:, 1], xy[:, 0]]),
        "turned by 90° counterclockwise": np.column_stack([xy[:, 1], height - xy[:, 0]]),
    }
    mask = _tissue(section)
    scale = np.array([mask.shape[1] / width, mask.shape[0] / height])
    shares = {}
    for name, places in turned.items():
        inside = places[_inside(places, section)]
        at = np.minimum((inside * scale).astype(int), [mask.shape[1] - 1, mask.shape[0] - 1])
        shares[name] = float(mask[at[:, 1], at[:, 0]].sum() / len(places))
    return shares


def _mostly_outside(section: Section, outside: Bool[np.ndarray, " n"]) -> Finding:
    back = _inside(section.tiles.xy[:, ::-1], section).mean() > 0.9
    advice = "x and y seem swapped" if back else "give the image that the coordinates refer to"
    text = f"spots on the image expected, found {_outside_text(section, outside)}: {advice}"
    return Finding("outside", text, refused=True)


def _swapped(shares: dict[str, float], *, mirrored: bool) -> Finding | None:
    given, swapped = shares["as they are"], shares["x and y swapped"]
    # tissue often fills a square, on which swapping moves few spots to glass: an array seen in a mirror tells
    margin = 0.02 if mirrored else 0.3
    flips = [share for name, share in shares.items() if not name.startswith(("turned", "counted"))]
    if swapped <= given + margin or swapped < max(flips):
        return None
    text = (
        f"spots on tissue expected, found {given:.0%} of them there and {swapped:.0%} if x and y are swapped: give "
        "places as (column, row)"
    )
    return Finding("swapped", text, refused=True)


def _shared(section: Section) -> Finding | None:
    n_shared = len(section) - len(np.unique(section.tiles.xy, axis=0))
    if n_shared:
        return Finding("shared", f"{n_shared} of {len(section)} spots have the place of another: check the coordinates")
    array = section.tiles.array_xy
    n_shared = 0 if array is None else len(section) - len(np.unique(array, axis=0))
    if n_shared:
        text = f"{n_shared} of {len(section)} spots have the place of another on the array: check whether"
        return Finding("shared", f"{text} two sections were merged")
    return None


def _turned(shares: dict[str, float], *, mirrored: bool) -> Finding | None:
    given = shares["as they are"]
    name, best = max(list(shares.items())[1:], key=lambda item: item[1])
    if best > given + (0.02 if mirrored else 0.05):
        text = f"{given:.0%} of spots lie on tissue, but {best:.0%} if {name}: look at the overlay"
        return Finding("tissue", text)
    if mirrored:
        text = "the image shows the spots' array (its rows and columns) in a mirror, as swapped or flipped places do: "
        return Finding("mirrored", text + "look at the overlay")
    if given < 0.5:
        return Finding("tissue", f"only {given:.0%} of spots lie on stained tissue: look at the overlay")
    return None


def _black(section: Section) -> Finding | None:
    """Say where the image is black: methods learn from a hundred black tiles too."""
    if np.median(_under(section).max(axis=1)) >= _BLACK:
        return None
    text = "the image is black under most spots: check that its pixels were read, and "
    return Finding("colour", text + _use_stained())


def colour_findings(section: Section) -> list[Finding]:
    """Say where the image is no picture of stained tissue: dark where glass is bright, or without colours.

    Tissue that fills a picture may be as dark as a picture in fluorescence, but absorbs green most, whatever of
    haematoxylin and eosin is in it. A blank picture has no colours to lack.
    """
    picture = thumbnail(section.tiles.slide)
    red, green, blue = _under(section).mean(axis=0)
    dark = float(np.percentile(picture.min(axis=2), _BRIGHTEST)) < _LIT and green > min(red, blue) - 1
    grey = np.ptp(picture) > _BLACK and (picture.max(axis=2) - picture.min(axis=2)).max() <= _GREY_STEPS
    if dark and _black(section) is None:
        text = "the image is dark where H&E on glass is bright, as fluorescence or inverted colours are: "
    elif grey:
        text = "the image has no colours, as one stain in fluorescence or a picture saved in grey: "
    else:
        return []
    return [Finding("colour", text + _use_stained())]


def _under(section: Section) -> NDArray[np.uint8]:
    """Return the colour under each spot, on a thumbnail; white where none is on the image."""
    xy, size = section.tiles.xy, np.array(section.tiles.slide.size_px)
    picture = thumbnail(section.tiles.slide)
    at = (xy[_inside(xy, section)] / size * np.array(picture.shape[1::-1])).astype(int)
    return picture[at[:, 1], at[:, 0]] if len(at) else np.full((1, 3), 255, np.uint8)


def _use_stained() -> str:
    return f"give the H&E image ({word('image')}) if there is one"


def _mirrored(section: Section) -> bool:
    """Whether the image shows the array as a mirror would, which swapping or flipping does and rotating does not.

    Arrays that Space Ranger reads from a CytAssist (Visium HD's bins among them) lie face to face with the tissue, so
    that theirs says nothing.
    """
    uns, array = section.counts.uns, section.tiles.array_xy
    bins = keys.PITCH_UM in uns and uns[keys.PITCH_UM] == uns.get(keys.SPOT_DIAMETER_UM)
    bins = bins or (array is not None and len(array) > 0 and bool(array.max() > _LARGEST))
    return not bins and not uns.get(keys.CYTASSIST, False) and _reversed(section.tiles)


def _reversed(tiles: Tiles) -> bool:
    if tiles.array_xy is None or len(tiles) < 3:
        return False
    centred = tiles.array_xy - tiles.array_xy.mean(axis=0)
    linear, _, rank, _ = np.linalg.lstsq(centred, tiles.xy - tiles.xy.mean(axis=0), rcond=None)
    return bool(rank == 2 and np.linalg.det(linear) < 0)


def _outside_text(section: Section, outside: Bool[np.ndarray, " n"]) -> str:
    width, height = section.tiles.slide.size_px
    return f"{outside.sum()} of {len(outside)} spots outside the image of {width} by {height} pixels"


def _inside(xy: Float[np.ndarray, "n 2"], section: Section) -> Bool[np.ndarray, " n"]:
    return np.asarray(((xy >= 0) & (xy < section.tiles.slide.size_px)).all(axis=1))


def _tissue(section: Section) -> Bool[np.ndarray, "rows columns"]:
    picture = thumbnail(section.tiles.slide).astype(np.float32)
    high, low = picture.max(axis=2), picture.min(axis=2)
    saturation = np.divide(high - low, high, out=np.zeros_like(high), where=high > 0)
    tissue = saturation > _TISSUE_SATURATION
    if tissue.mean() < _GREY:
        tissue = high < _DARK * 255
    return np.asarray(ndimage.binary_closing(tissue, iterations=2))
