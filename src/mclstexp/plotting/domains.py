"""Domains on tissue: labels, what the measured counts say, what the prediction says, in matching colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.plotting.maps import FADED, plot_slide
from mclstexp.plotting.spots import draw_coloured, view_of
from mclstexp.plotting.style import COLOURS, COLUMN_IN, MISSING, PAGE_IN, style

UNKNOWN: Final = ("undetermined", "nan", "")
"""Labels that name no domain: drawn grey, and left out of every comparison."""


def plot_domains(
    section: Section,
    domains: Mapping[str, ArrayLike],
    *,
    axes: Sequence[Axes] | NDArray | None = None,
) -> NDArray:
    """Draw one or more divisions of a section into domains, the first of them setting the colours.

    Parameters
    ----------
    section
        Whose spots.
    domains
        By title, (n_spots,) labels each; missing ones and "undetermined" are drawn grey. Put what is true first, say
        ``{"pathologist": …, "measured": …, "predicted": …}``: the domains of the others take the colour of the first
        one's domain that they overlap most, one to one (Hungarian matching).
    axes
        One for each; a new figure of page width by default.

    Returns
    -------
    The axes. From the second on the title gives ARI and NMI to the first, over the spots that both label.

    Raises
    ------
    InputError
        If there are no domains, or not one label per spot or axes per division.
    """
    labels = {title: _clean(values, section, title) for title, values in domains.items()}
    if not labels:
        msg = "at least one division into domains expected, found none: give labels by title"
        raise InputError(msg)
    first = next(iter(labels.values()))
    palette, view = domain_colours(first), view_of(section.tiles)
    spot_um = section.counts.uns.get(keys.SPOT_DIAMETER_UM)
    with style():
        axes = _panels(axes, len(labels), ratio=(view[3] - view[2]) / (view[1] - view[0]))
        spare: set[str] = set()
        for number, (ax, (title, values)) in enumerate(zip(axes, labels.items(), strict=True)):
            plot_slide(section.tiles.slide, ax=ax, fade=FADED, view=view)
            colours = _matched(values, first, palette) if number else palette
            painted = [colours.get(str(label), MISSING) for label in values.fillna("")]
            draw_coloured(ax, section.tiles, painted, spot_um=spot_um)
            ax.set_title(f"{title}\n{agreement(first, values)}" if number else title)
            spare |= set(colours.values()) - set(palette.values())
        _legend(axes[0].figure, palette, spare=bool(spare), missing=bool(first.isna().any()))
    return axes


def match_domains(labels: ArrayLike, reference: ArrayLike) -> dict[str, str]:
    """Match domains one to one to those of a reference so that the most spots agree (Kuhn 1955).

    Parameters
    ----------
    labels, reference
        (n_spots,) each; spots without a label in either do not count.

    Returns
    -------
    The reference's domain for each domain; domains beyond the reference's number have none.
    """
    both = pd.crosstab(_series(labels), _series(reference))
    at = linear_sum_assignment(both.to_numpy(), maximize=True)
    return {str(both.index[i]): str(both.columns[j]) for i, j in zip(*at, strict=True)}


def domain_colours(labels: ArrayLike) -> dict[str, str]:
    """Return a colour for each domain, in order of their names or numbers; from the ninth on in paler shades."""
    names = sorted(_series(labels).dropna().unique(), key=lambda name: (len(name) if name.isdigit() else 0, name))
    return {name: _colour(number) for number, name in enumerate(names)}


def agreement(reference: ArrayLike, labels: ArrayLike) -> str:
    """Say ARI and NMI of two divisions over the spots that both label."""
    a, b = _series(reference), _series(labels)
    known = a.notna() & b.notna()
    if not known.any():
        return "no spot in common"
    ari = adjusted_rand_score(a[known], b[known])
    return f"ARI {ari:.2f} · NMI {normalized_mutual_info_score(a[known], b[known]):.2f}"


def _legend(figure: Figure, palette: Mapping[str, str], *, spare: bool, missing: bool) -> None:
    """Say beneath a figure whose colours these are."""
    named = {f"domain {name}" if name.isdigit() else name: colour for name, colour in palette.items()}
    named |= {"no label": MISSING} if missing else {}
    dots = [Line2D([], [], ls="", marker="o", ms=4.5, color=colour, label=name) for name, colour in named.items()]
    if spare:
        dots.append(Line2D([], [], ls="", label="other colours: no counterpart"))
    figure.legend(
        handles=dots, loc="outside lower center", ncols=min(len(dots), 6), handletextpad=0.1, columnspacing=1.2
    )


def _matched(labels: pd.Series, reference: pd.Series, palette: Mapping[str, str]) -> dict[str, str]:
    """Return a colour for each domain: its partner's, or one that is not taken."""
    partner = match_domains(labels, reference)
    alone = [name for name in domain_colours(labels) if name not in partner]
    spare = {name: _colour(len(palette) + number) for number, name in enumerate(alone)}
    return spare | {name: palette[other] for name, other in partner.items()}


def _colour(number: int) -> str:
    shade, hue = divmod(number, len(COLOURS))
    white = 1 - 0.5**shade
    red, green, blue = (part + white * (1 - part) for part in to_rgb(COLOURS[hue]))
    return to_hex((red, green, blue))


def _series(labels: ArrayLike) -> pd.Series:
    """Return labels as text; what names no domain as missing."""
    values = pd.Series(np.asarray(labels, dtype=object))
    text = values.where(values.isna(), values.map(str))
    return text.mask(text.isin(UNKNOWN))


def _clean(values: ArrayLike, section: Section, title: str) -> pd.Series:
    found = _series(values)
    if len(found) != len(section):
        msg = (
            f"{title}: a label for each of the {len(section)} spots of {section.id} expected, found {len(found)}: "
            "give one per spot, missing ones as None"
        )
        raise InputError(msg)
    return found


def _panels(axes: Any, n: int, *, ratio: float) -> NDArray:
    if axes is None:
        width = COLUMN_IN if n == 1 else PAGE_IN
        axes = plt.subplots(1, n, figsize=(width, width / n * ratio + 0.65), layout="compressed")[1]
    axes = np.asarray(axes, dtype=object).ravel()
    if len(axes) != n:
        msg = f"{n} axes expected, one for each division, found {len(axes)}: give {n} or none"
        raise InputError(msg)
    return axes
