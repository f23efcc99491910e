"""Several genes at a time: as measured above, as predicted below, each on the section where it is predicted best."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mclstexp.analysis.pairs import Pair
from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.plotting.maps import FADED, colour_bar, expression_unit, plot_slide, robust_limits
from mclstexp.plotting.spots import View, draw_spots, view_of
from mclstexp.plotting.style import EXPRESSION, PAGE_IN, style


def plot_top_genes(
    pairs: Sequence[Pair], genes: Sequence[str], *, axes: Sequence[Axes] | NDArray | None = None
) -> NDArray:
    """Draw genes on the sections where they are predicted best, measured above predicted.

    The best section is the most flattering one, as in the mclSTExp paper (Fig. 5); titles give the PCC there and its
    mean over sections.

    Parameters
    ----------
    pairs
        Sections, measured and predicted.
    genes
        A column each.
    axes
        (2 · n_genes) axes, the row of the measured first; a new figure of page width by default.

    Returns
    -------
    (2, n_genes) axes, in µm, all of one scale. Measured and predicted share a colour scale with robust limits.

    Raises
    ------
    InputError
        If no pair has a gene.
    """
    chosen = [_best(pairs, gene) for gene in genes]
    views = _of_one_size([view_of(pair.section.tiles) for pair, *_ in chosen])
    with style():
        axes = _grid(axes, views)
        for column, (gene, (pair, r, mean)) in enumerate(zip(genes, chosen, strict=True)):
            place = pair.genes.index(gene)
            values = pair.truth[:, place].astype(np.float64), pair.guess[:, place].astype(np.float64)
            limits = robust_limits(np.concatenate(values))
            spot_um = pair.section.counts.uns.get(keys.SPOT_DIAMETER_UM)
            for ax, part in zip(axes[:, column], values, strict=True):
                plot_slide(pair.section.tiles.slide, ax=ax, fade=FADED, view=views[column])
                drawn = draw_spots(ax, pair.section.tiles, part, limits=limits, cmap=EXPRESSION, spot_um=spot_um)
            axes[0, column].set_title(gene, fontstyle="italic")
            axes[1, column].set_title(f"{pair.id}: PCC {r:.2f} (mean {mean:.2f})")
            colour_bar(drawn, list(axes[:, column]), label="", beneath=True)
        size = plt.rcParams["axes.titlesize"]
        for ax, name in zip(axes[:, 0], ("measured", "predicted"), strict=True):
            ax.text(-0.03, 0.5, name, rotation=90, ha="right", va="center", transform=ax.transAxes, size=size)
        unit = expression_unit(chosen[0][0].space)
        axes[0, 0].figure.supxlabel(unit, fontsize=plt.rcParams["axes.labelsize"])
    return axes


def _best(pairs: Sequence[Pair], gene: str) -> tuple[Pair, float, float]:
    """Return the pair that predicts a gene best, its PCC and the mean over pairs."""
    having = [pair for pair in pairs if gene in pair.genes]
    if not having:
        msg = f"a predicted gene expected, found {gene!r}: choose one of the prediction's panel"
        raise InputError(msg)
    columns = [pair.genes.index(gene) for pair in having]
    r = np.array(
        [
            pearson_per_gene(pair.truth[:, [column]], pair.guess[:, [column]])[0]
            for pair, column in zip(having, columns, strict=True)
        ]
    )
    if np.isnan(r).all():
        return having[0], float("nan"), float("nan")
    best = int(np.nanargmax(r))
    return having[best], float(r[best]), float(np.nanmean(r))


def _of_one_size(views: Sequence[View]) -> list[View]:
    """Widen views of tissue to the widest and tallest, so that all maps are of one scale, the tissue in the middle."""
    width = max((right - left for left, right, *_ in views), default=1.0)
    height = max((bottom - top for *_, top, bottom in views), default=1.0)
    widened = []
    for left, right, top, bottom in views:
        x, y = (left + right - width) / 2, (top + bottom - height) / 2
        widened.append((x, x + width, y, y + height))
    return widened


def _grid(axes: Sequence[Axes] | NDArray | None, views: Sequence[View]) -> NDArray:
    n = len(views)
    if n == 0:
        msg = "at least one gene expected, found none: name genes"
        raise InputError(msg)
    if axes is None:
        left, right, top, bottom = views[0]
        height_in = (PAGE_IN / n - 0.1) * (bottom - top) / (right - left) + 0.2
        size_in = (PAGE_IN, 2 * height_in + 0.55)
        axes = plt.subplots(2, n, figsize=size_in, squeeze=False, layout="compressed")[1]
    axes = np.asarray(axes, dtype=object)
    if axes.size != 2 * n:
        msg = f"{2 * n} axes expected (two rows of {n}), found {axes.size}: give as many or none"
        raise InputError(msg)
    return axes.reshape(2, n)
