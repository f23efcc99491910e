"""One look for every figure: readable at column width, safe for colour-blind readers, text kept as text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

COLUMN_IN: Final = 3.5
"""Width of a figure in one column of a paper, inches."""
PAGE_IN: Final = 7.2
"""Width of a figure across the page, inches."""
EXPRESSION: Final = "viridis"
"""Colour map that is evenly perceived, and unlike H&E."""
DIFFERENCE: Final = "PuOr_r"
"""Diverging colour map of predicted minus truth; white is none."""
MISSING: Final = "#c8c8c8"
"""Colour of what has no value."""
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""Colours of categories (Okabe and Ito 2008), told apart by colour-blind readers."""

_RC: Final[dict[str, Any]] = {
    "axes.linewidth": 0.6,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "figure.constrained_layout.use": True,
    "figure.dpi": 150,
    "font.family": "sans-serif",
    "font.size": 7.5,
    "image.cmap": EXPRESSION,
    "image.interpolation": "antialiased",
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,  # letters stay letters, not outlines
    "savefig.dpi": 300,
    "svg.fonttype": "none",
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw what is drawn inside the block in this package's look; the reader's own settings come back after it."""
    interactive = mpl.rcParams["interactive"]
    try:
        with mpl.rc_context(_RC):  # type: ignore[arg-type]  # its stubs want every key as a literal
            try:
                yield
            finally:
                interactive = mpl.rcParams["interactive"]
    finally:
        mpl.rcParams["interactive"] = interactive  # a notebook's first figure turns it on, maybe in the block: it stays


def save_figure(figure: Figure, path: Path | str, *, dpi: int = 300) -> None:
    """Write a figure so that letters in SVG and PDF stay letters, which matplotlib decides only now, not when it drew.

    Parameters
    ----------
    figure
        Of the axes that a plot returned: ``ax.figure``.
    path
        Its ending says the format.
    dpi
        Of a PNG, and of what a vector file keeps as a picture.
    """
    undated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(Path(path).suffix)  # equal figures, files
    with style():
        figure.savefig(path, dpi=dpi, metadata=undated)


def scale_bar(ax: Axes, mpp: float = 1.0, *, length_um: float | None = None) -> float:
    """Draw a scale bar into the lower left corner of an image.

    Parameters
    ----------
    ax
        Axes with their limits set.
    mpp
        µm per unit of the x axis.
    length_um
        Length of the bar; by default the round number (1, 2 or 5 times a power of ten) nearest below a quarter of
        the width.

    Returns
    -------
    The length in µm.
    """
    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    width_um = abs(right - left) * mpp
    if length_um is None:
        length_um = _round_below(width_um / 4)
    start = left + 0.04 * (right - left)
    y = bottom + 0.045 * (top - bottom)
    stop = start + np.sign(right - left) * length_um / mpp
    halo = [withStroke(linewidth=3.2, foreground="white")]
    ax.plot([start, stop], [y, y], color="black", lw=1.6, solid_capstyle="butt", path_effects=halo, gid="scale_bar")
    text = f"{length_um / 1000:g} mm" if length_um >= 1000 else f"{length_um:g} µm"
    above = y + 0.02 * (top - bottom)
    halo = [withStroke(linewidth=2.0, foreground="white")]
    ax.text(start, above, text, ha="left", va="bottom", fontsize=6.5, path_effects=halo)
    ax.set(xlim=(left, right), ylim=(bottom, top))
    return length_um


def _round_below(length: float) -> float:
    power = 10 ** np.floor(np.log10(length))
    return float(max(step for step in (1, 2, 5) if step * power <= length * (1 + 1e-9)) * power)
