"""Whether a section is what it seems, and whether it is fit for what is asked: spots, depth, size of tiles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.measured import MIN_COUNTS, blank_spots, has_counts
from mclstexp.core.section import Section
from mclstexp.io.witnesses import colour_findings, tell, weigh_section

SHALLOW_COUNTS: Final = 500
"""Median counts per spot below which little but the commonest genes can be learnt."""
FEW_SPOTS: Final = 50
"""Spots below which a correlation over a section says little."""
_TILE_TO_SPOT: Final = (0.5, 5.0)
"""Usual sides of a tile in spot diameters: below, it misses what was measured; above, neighbours share it."""
_UPSAMPLED: Final = 1.5
"""Slide pixels this much larger than the spec's are no longer a matter of rounding between scanners."""


_mended: ContextVar[bool] = ContextVar("places_are_mended", default=False)


@contextmanager
def places_to_be_mended() -> Iterator[None]:
    """Within the block sections are read whose spots lie wrong: it is said and not refused."""
    token = _mended.set(True)
    try:
        yield
    finally:
        _mended.reset(token)


def require_on_tissue(section: Section) -> None:
    """Warn of what is wrong with where a section's spots lie, as `weigh_section` finds it.

    Raises
    ------
    InputError
        If most spots lie beside the image, or they would lie on tissue better if x and y were swapped.
    """
    found = weigh_section(section)
    tell([replace(one, refused=False) for one in found] if _mended.get() else found, where=section.id)


def check_section(section: Section, *, min_counts: int = MIN_COUNTS) -> list[str]:
    """Look for what is likely a mistake and for what will make predictions poor.

    Returns
    -------
    One sentence a finding; empty if nothing was found.

    Raises
    ------
    InputError
        If spots do not lie on the image or its tissue, as `require_on_tissue` does.
    """
    placed = weigh_section(section)
    tell([finding for finding in placed if finding.refused], where=section.id)
    found = [
        *(finding.text for finding in (*placed, *colour_findings(section))),
        *_depth(section, min_counts=min_counts),
        *_scale(section),
    ]
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


def _depth(section: Section, *, min_counts: int) -> list[str]:
    found = []
    kept = has_counts(section, min_counts=min_counts)
    if kept.sum() < FEW_SPOTS:
        few = f"{len(section)} spots" if len(section) < FEW_SPOTS else f"{kept.sum()} spots with counts"
        found.append(f"{few} are few: correlations over them are uncertain")
    totals = _totals(section)[kept] if kept.any() else np.zeros(1)
    if np.median(totals) < SHALLOW_COUNTS:
        found.append(f"a median of {np.median(totals):.0f} counts per spot is shallow: only common genes are measured")
    return [*found, *blank_spots(section, min_counts=min_counts)]


def _scale(section: Section) -> list[str]:
    found = []
    spec, mpp = section.tiles.spec, section.tiles.slide.mpp
    if mpp > _UPSAMPLED * spec.mpp:
        as_fine = f"{word('tile_mpp', round(mpp, 3))}, {word('tile_size_px', max(1, round(spec.size_um / mpp)))}"
        found.append(
            f"the slide has {mpp:.3g} µm per pixel, tiles are read at {spec.mpp:g}: they are enlarged "
            f"{mpp / spec.mpp:.1f} times and hold no finer detail; {as_fine} serves as well and is quicker"
        )
    spot_um = _number(section.counts.uns.get(keys.SPOT_DIAMETER_UM))
    if spot_um and not _TILE_TO_SPOT[0] <= spec.size_um / spot_um <= _TILE_TO_SPOT[1]:
        side = "smaller" if spec.size_um < spot_um else "larger"
        found.append(
            f"tiles of {spec.size_um:g} µm are much {side} than spots of {spot_um:g} µm: change {word('tile_size_px')}"
        )
    return found


def _totals(section: Section) -> Float[np.ndarray, " n"]:
    return np.asarray(section.counts.X.sum(axis=1), np.float64).ravel()


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float | np.number) else None
