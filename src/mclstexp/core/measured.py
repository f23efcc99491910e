"""Spots without counts were not measured: they are neither learnt nor scored, and they are counted aloud."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.imputed import all_counts
from mclstexp.core.section import Section, check_sections

MIN_COUNTS: Final = 1
"""Counts below which a spot is left out. What has none cannot be told from what nobody measured; any higher bound is a
judgement about a data set, which its user makes."""


def has_counts(
    section: Section, *, min_counts: int = MIN_COUNTS, space: ExpressionSpace | None = None
) -> Bool[np.ndarray, " n_spots"]:
    """Say which spots hold enough counts to be learnt from and scored.

    Parameters
    ----------
    section
        A measured section.
    min_counts
        Fewest counts over all its genes; 0 takes every spot as measured.
    space
        Where it is given and scales each spot, a spot also needs a count of its panel: the share of nothing in nothing
        is not zero.
    """
    kept = np.asarray(section.counts.X.sum(axis=1)).ravel() >= min_counts
    if space is not None and space.axis == "spot" and min_counts > 0:
        counts, names = all_counts(section.counts)
        kept &= np.asarray(counts[:, np.flatnonzero(names.isin(space.genes))].sum(axis=1)).ravel() > 0
    return kept


def learnable(
    sections: Sequence[Section], *, min_counts: int = MIN_COUNTS, space: ExpressionSpace | None = None
) -> list[Section]:
    """Return the sections with the spots that can be learnt from; one without any is left out.

    Parameters
    ----------
    sections
        Training sections.
    min_counts, space
        See `has_counts`.

    Raises
    ------
    InputError
        If nothing is left.
    """
    found = []
    for section in check_sections(sections):
        kept = has_counts(section, min_counts=min_counts, space=space)
        if kept.all():
            found.append(section)
        elif kept.any():
            found.append(section.take(kept))
    if not found:
        msg = (
            f"spots with at least {max(min_counts, 1)} counts to learn from expected, found none in "
            f"{len(sections)} sections: give the raw counts, or lower {word('min_counts')}"
        )
        raise InputError(msg)
    return found


def warn_of_blank_spots(sections: Sequence[Section], *, min_counts: int, space: ExpressionSpace) -> None:
    """Warn of the spots that are left out, once a section."""
    for section in sections:
        for sentence in blank_spots(section, min_counts=min_counts, space=space):
            warnings.warn(f"{section.id}: {sentence}", stacklevel=3)


def blank_spots(section: Section, *, min_counts: int = MIN_COUNTS, space: ExpressionSpace | None = None) -> list[str]:
    """Say how many spots are left out (see `has_counts`), in one sentence; nothing where all hold counts."""
    n_spots = len(section)
    n_blank = n_spots - int(has_counts(section, min_counts=min_counts, space=space).sum())
    if not n_blank:
        return []
    what = "no counts" if min_counts == 1 else f"fewer than {min_counts} counts"
    if n_blank > n_spots - int(has_counts(section, min_counts=min_counts).sum()):
        what = f"{what}, or none of the {len(space.genes) if space else 0} genes of the panel"
    return [
        f"{n_blank} of {n_spots} spots ({n_blank / n_spots:.1%}) have {what}: they are neither learnt nor scored, "
        "and still predicted"
    ]
