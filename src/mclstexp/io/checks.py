"""Whether a section is what it seems: spots on the image, on its tissue, and tiles of a sensible size."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles

SHALLOW_COUNTS: Final = 500
"""Median counts per spot below which little but the commonest genes can be learnt."""
FEW_SPOTS: Final = 50
"""Spots below which a correlation over a section says little."""
_THUMBNAIL_PX: Final = 512
_TISSUE_SATURATION: Final = 0.07
"""Saturation (HSV) above which a pixel is taken for stained tissue rather than glass."""
_TILE_TO_SPOT: Final = (0.5, 5.0)
"""Usual sides of a tile in spot diameters: below, it misses what was measured; above, neighbours share it."""
_UPSAMPLED: Final = 1.5
"""Slide pixels this much larger than the spec's are no longer a matter of rounding between scanners."""


def require_on_tissue(section: Section) -> None:
    """Refuse a section whose spots lie beside its image, or whose x and y are swapped.

    Warns where a few spots lie beside the image.

    Raises
    ------
    InputError
        If most spots lie outside, or they would lie on tissue better if x and y were swapped.
    """
    outside = _outside(section)
    if outside.any():
        text = f"{section.id}: {_outside_text(section, outside)}: their tiles are white there"
        warnings.warn(text, stacklevel=3)
    _refuse_swapped(section, tissue_shares(section))


def check_section(section: Section) -> list[str]:
    """Look for what is likely a mistake and for what will make predictions poor.

    Returns
    -------
    One sentence a finding; empty if nothing was found.

    Raises
    ------
    InputError
        If spots do not lie on the image or its tissue, as `require_on_tissue` does.
    """
    outside, shares = _outside(section), tissue_shares(section)
    _refuse_swapped(section, shares)
    found = [f"{_outside_text(section, outside)}: check the image"] if outside.any() else []
    found += [*_placement(section, shares), *_depth(section), *_scale(section)]
    return [f"{section.id}: {sentence}" for sentence in found]


def describe_section(section: Section) -> dict[str, Any]:
    """Return what a user should recognise a section by: counts, scale, sizes, labels (plain types)."""
    counts, tiles, uns = section.counts, section.tiles, section.counts.uns
    labels = counts.obs[keys.LABEL].dropna() if keys.LABEL in counts.obs else ()
    return {
        "section": section.id,
        "patient": section.patient,
        "spots": len(section),
        "genes": counts.n_vars,
        "median_counts": float(np.median(_totals(section))),
        "median_genes": float(np.median(np.diff(counts.X.indptr))),
        "mpp": tiles.slide.mpp,
        "image_px": tiles.slide.size_px,
        "tile_px": tiles.spec.size_um / tiles.slide.mpp,
        "tile_um": tiles.spec.size_um,
        keys.PITCH_UM: _number(uns.get(keys.PITCH_UM)),
        keys.SPOT_DIAMETER_UM: _number(uns.get(keys.SPOT_DIAMETER_UM)),
        "labels": sorted(map(str, set(labels))),
    }


def tissue_shares(section: Section) -> dict[str, float]:
    """Return the share of spots that lie on tissue as they are, and if their places were turned over.

    Tissue is what is more saturated than glass on a thumbnail, closed over small holes.
    """
    xy, (width, height) = section.tiles.xy, section.tiles.slide.size_px
    turned = {
        "as they are": xy,
        "x and y swapped": xy[:, ::-1],
        "flipped left to right": np.column_stack([width - xy[:, 0], xy[:, 1]]),
        "flipped top to bottom": np.column_stack([xy[:, 0], height - xy[:, 1]]),
    }
    mask = _tissue(section)
    scale = np.array([mask.shape[1] / width, mask.shape[0] / height])
    shares = {}
    for name, places in turned.items():
        inside = places[_inside(places, section)]
        at = np.minimum((inside * scale).astype(int), [mask.shape[1] - 1, mask.shape[0] - 1])
        shares[name] = float(mask[at[:, 1], at[:, 0]].sum() / len(places))
    return shares


def _refuse_swapped(section: Section, shares: dict[str, float]) -> None:
    given, swapped = shares["as they are"], shares["x and y swapped"]
    # tissue often fills a square, on which swapping moves few spots to glass: an array seen in a mirror tells
    margin = 0.02 if _mirrored(section.tiles) else 0.3
    if swapped > given + margin and swapped == max(shares.values()):
        msg = (
            f"{section.id}: spots on tissue expected, found {given:.0%} of them there and {swapped:.0%} if x and y are "
            "swapped: give places as (column, row)"
        )
        raise InputError(msg)


def _mirrored(tiles: Tiles) -> bool:
    """Whether the image shows the array as a mirror would, which swapping or flipping does and rotating does not."""
    if tiles.array_xy is None or len(tiles) < 3:
        return False
    centred = tiles.array_xy - tiles.array_xy.mean(axis=0)
    linear, _, rank, _ = np.linalg.lstsq(centred, tiles.xy - tiles.xy.mean(axis=0), rcond=None)
    return bool(rank == 2 and np.linalg.det(linear) < 0)


def _placement(section: Section, shares: dict[str, float]) -> list[str]:
    found = []
    n_shared = len(section) - len(np.unique(section.tiles.xy, axis=0))
    if n_shared:
        found.append(f"{n_shared} of {len(section)} spots have the place of another: check the coordinates")
    given = shares["as they are"]
    name, best = max(list(shares.items())[1:], key=lambda item: item[1])
    if best > given + (0.02 if _mirrored(section.tiles) else 0.05):
        found.append(f"{given:.0%} of spots lie on tissue, but {best:.0%} if {name}: look at the overlay")
    elif given < 0.5:
        found.append(f"only {given:.0%} of spots lie on stained tissue: look at the overlay")
    return found


def _depth(section: Section) -> list[str]:
    found = []
    if len(section) < FEW_SPOTS:
        found.append(f"{len(section)} spots are few: correlations over them are uncertain")
    totals = _totals(section)
    if np.median(totals) < SHALLOW_COUNTS:
        found.append(f"a median of {np.median(totals):.0f} counts per spot is shallow: only common genes are measured")
    if (totals == 0).any():
        found.append(f"{(totals == 0).sum()} of {len(section)} spots have no counts: leave them out")
    return found


def _scale(section: Section) -> list[str]:
    found = []
    spec, mpp = section.tiles.spec, section.tiles.slide.mpp
    if mpp > _UPSAMPLED * spec.mpp:
        found.append(
            f"the slide has {mpp:.3g} µm per pixel, tiles are read at {spec.mpp:g}: they are enlarged "
            f"{mpp / spec.mpp:.1f} times and hold no finer detail, so a coarser spec serves as well"
        )
    spot_um = _number(section.counts.uns.get(keys.SPOT_DIAMETER_UM))
    if spot_um and not _TILE_TO_SPOT[0] <= spec.size_um / spot_um <= _TILE_TO_SPOT[1]:
        side = "smaller" if spec.size_um < spot_um else "larger"
        found.append(f"tiles of {spec.size_um:g} µm are much {side} than spots of {spot_um:g} µm: change the spec")
    return found


def _outside(section: Section) -> Bool[np.ndarray, " n"]:
    """Say which spots lie outside the image, and refuse if most do."""
    xy = section.tiles.xy
    outside = ~_inside(xy, section)
    if outside.mean() <= 0.5:
        return outside
    back = _inside(xy[:, ::-1], section).mean() > 0.9
    advice = "x and y seem swapped" if back else "give the image that the coordinates refer to"
    msg = f"{section.id}: spots on the image expected, found {_outside_text(section, outside)}: {advice}"
    raise InputError(msg)


def _outside_text(section: Section, outside: Bool[np.ndarray, " n"]) -> str:
    width, height = section.tiles.slide.size_px
    return f"{outside.sum()} of {len(outside)} spots outside the image of {width} by {height} pixels"


def _inside(xy: Float[np.ndarray, "n 2"], section: Section) -> Bool[np.ndarray, " n"]:
    return np.asarray(((xy >= 0) & (xy < section.tiles.slide.size_px)).all(axis=1))


def _tissue(section: Section) -> Bool[np.ndarray, "rows columns"]:
    picture = section.tiles.slide.thumbnail(_THUMBNAIL_PX).astype(np.float32)
    high, low = picture.max(axis=2), picture.min(axis=2)
    saturation = np.divide(high - low, high, out=np.zeros_like(high), where=high > 0)
    return np.asarray(ndimage.binary_closing(saturation > _TISSUE_SATURATION, iterations=2))


def _totals(section: Section) -> Float[np.ndarray, " n"]:
    return np.asarray(section.counts.X.sum(axis=1), np.float64).ravel()


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float | np.number) else None
