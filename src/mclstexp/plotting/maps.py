"""Maps of expression on tissue: one map, and truth beside prediction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import matplotlib.pyplot as plt
import numpy as np
from anndata import AnnData
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from numpy.typing import ArrayLike, NDArray

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.section import Section
from mclstexp.core.tiles import Slide, Tiles
from mclstexp.plotting.spots import View, draw_spots, view_of, whole_view
from mclstexp.plotting.style import COLUMN_IN, DIFFERENCE, EXPRESSION, PAGE_IN, scale_bar, style

_IMAGE_PX = 1200  # enough for a page at 300 dpi
_MOST_PX = 4000  # however near
FADED: Final = 0.6
"""How pale tissue is drawn beneath coloured spots, where it is there to find one's way."""
_LUMINANCE: Final = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def plot_slide(slide: Slide, *, ax: Axes | None = None, fade: float = 0.0, view: View | None = None) -> Axes:
    """Draw a slide with a scale bar; the axes are in µm from its upper left corner.

    Parameters
    ----------
    slide
        What to draw, from a thumbnail.
    ax
        Where; a new figure of column width by default.
    fade
        0 as it is, towards 1 paler and greyer, to draw on.
    view
        What is shown of it; all by default.
    """
    with style():
        whole = whole_view(slide)
        left, right, top, bottom = view = whole if view is None else view
        ax = _axes(ax, view)
        nearer = max(whole) / max(right - left, bottom - top)
        image = slide.thumbnail(min(_MOST_PX, round(_IMAGE_PX * nearer))).astype(np.float64)
        # a paled stain still tints what is seen between the spots: it goes grey as it goes pale
        image += fade * ((image @ _LUMINANCE)[..., None] - image)
        image = (255 - (1 - fade) * (255 - image)).round().astype(np.uint8)
        ax.imshow(image, extent=(0, whole[1], whole[3], 0))
        ax.set(xlim=(left, right), ylim=(bottom, top))
        ax.set_axis_off()
        scale_bar(ax)
    return ax


def plot_map(
    tiles: Tiles,
    values: ArrayLike,
    *,
    ax: Axes | None = None,
    label: str = "",
    limits: tuple[float, float] | None = None,
    cmap: str = EXPRESSION,
    spot_um: float | None = None,
) -> Axes:
    """Draw one value per tile at its place and true size over the paled slide.

    Parameters
    ----------
    tiles
        Where.
    values
        (n_tiles,) what; NaN is drawn grey.
    ax
        A new figure of column width by default.
    label
        Of the colour bar.
    limits
        Values at the ends of the colour map; by default the 1st and 99th percentile, so that single spots do not
        hide the others. Values beyond them take the colour of the end.
    cmap
        A colour map's name.
    spot_um
        Diameter of the measured spots, drawn as discs on the part of the slide where they are; without it tiles are
        drawn as the squares they are, on the whole slide.

    Returns
    -------
    The axes, in µm from the slide's upper left corner.

    Raises
    ------
    InputError
        If there is not one value per tile.
    """
    values = np.asarray(values, np.float64)
    if values.shape != (len(tiles),):
        msg = f"one value per tile expected, found shape {values.shape} for {len(tiles)} tiles: give a vector"
        raise InputError(msg)
    limits = robust_limits(values) if limits is None else limits
    with style():
        view = whole_view(tiles.slide) if spot_um is None else view_of(tiles)
        ax = _axes(ax, view, share=0.8)  # the colour bar takes a fifth
        plot_slide(tiles.slide, ax=ax, fade=FADED, view=view)
        drawn = draw_spots(ax, tiles, values, limits=limits, cmap=cmap, spot_um=spot_um)
        colour_bar(drawn, [ax], label=label)
    return ax


def plot_truth_and_prediction(
    section: Section,
    predicted: AnnData,
    gene: str,
    *,
    space: ExpressionSpace,
    axes: Sequence[Axes] | NDArray | None = None,
) -> NDArray:
    """Draw the tissue, one gene's truth and prediction on one scale, and their difference.

    Parameters
    ----------
    section
        Measured tissue.
    predicted
        A prediction for its tiles, rows in any order.
    gene
        Whose expression.
    space
        The scale of the prediction, to which the counts are brought.
    axes
        Four axes; a new figure of page width by default.

    Returns
    -------
    (4,) axes: tissue, truth, prediction (its title says the PCC), prediction minus truth.

    Raises
    ------
    InputError
        If the prediction is of other tiles or on another scale, or the gene is not in both.
    """
    truth, guess = _pair(section, predicted, gene, space=space)
    r = pearson_per_gene(truth[:, None], guess[:, None])[0]
    low, high = robust_limits(np.concatenate([truth, guess]))
    error = guess - truth
    most = max(abs(bound) for bound in robust_limits(error))
    spot_um, view = section.counts.uns.get(keys.SPOT_DIAMETER_UM), view_of(section.tiles)
    with style():
        if axes is None:
            size_in = (PAGE_IN, PAGE_IN / 4 * (view[3] - view[2]) / (view[1] - view[0]) + 0.75)
            axes = plt.subplots(1, 4, figsize=size_in, layout="compressed")[1]
        axes = np.asarray(axes, dtype=object).ravel()
        if len(axes) != 4:
            msg = f"four axes expected (tissue, truth, predicted, difference), found {len(axes)}: give four or none"
            raise InputError(msg)
        names = (f"{gene} · {section.id}", "measured", f"predicted · {_pcc(r)}", "difference")
        for number, (ax, name) in enumerate(zip(axes, names, strict=True)):
            plot_slide(section.tiles.slide, ax=ax, fade=FADED if number else 0.0, view=view)
            ax.set_title(name)
        shown = [
            draw_spots(ax, section.tiles, values, limits=(low, high), cmap=EXPRESSION, spot_um=spot_um)
            for ax, values in zip(axes[1:3], (truth, guess), strict=True)
        ]
        off = draw_spots(axes[3], section.tiles, error, limits=(-most, most), cmap=DIFFERENCE, spot_um=spot_um)
        colour_bar(shown[0], list(axes[1:3]), label=expression_unit(space), beneath=True, columns=2)
        colour_bar(off, [axes[3]], label="predicted minus measured", beneath=True)
    return axes


def robust_limits(values: Float[np.ndarray, " n"], *, share: float = 0.01) -> tuple[float, float]:
    """Return the quantiles `share` and 1 - `share` of the finite values, a little apart if they are equal."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return 0.0, 1.0
    low, high = (float(q) for q in np.quantile(finite, [share, 1 - share]))
    if high - low <= 1e-9 * max(abs(low), abs(high), 1.0):
        return low - 0.5, high + 0.5
    return low, high


def _axes(ax: Axes | None, view: View, *, share: float = 1.0) -> Axes:
    left, right, top, bottom = view
    height_in = share * COLUMN_IN * (bottom - top) / (right - left)
    return plt.subplots(figsize=(COLUMN_IN, height_in), layout="compressed")[1] if ax is None else ax


def colour_bar(drawn: ScalarMappable, axes: list[Axes], *, label: str, beneath: bool = False, columns: int = 1) -> None:
    """Add a colour bar to axes, pointed at an end beyond which there are values; as thick beneath many as one."""
    values: NDArray = np.ma.masked_invalid(np.ma.asarray(drawn.get_array())).compressed()
    low, high = drawn.get_clim()
    below, above = (values < low).any(), (values > high).any()
    bar = (
        axes[0]
        .get_figure()
        .colorbar(  # type: ignore[union-attr]  # axes that are drawn on have a figure
            drawn,
            ax=axes,
            label=label,
            location="bottom" if beneath else "right",
            extend={(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[
                bool(below), bool(above)
            ],
            shrink=0.7,
            aspect=22 * columns,
            pad=0.03,
        )
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2)


def _pair(
    section: Section, predicted: AnnData, gene: str, *, space: ExpressionSpace
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (truth, predicted) of one gene, spot by spot."""
    if gene not in space.genes or gene not in predicted.var_names:
        msg = (
            f"a gene of the prediction's panel expected, found {gene!r}: choose one of {', '.join(space.genes[:3])}, …"
        )
        raise InputError(msg)
    said = predicted.uns.get(keys.PROVENANCE, {}).get("space", {})
    if any(said.get(name, value) != value for name, value in space.record().items()):
        found = ExpressionSpace.of_record({**ExpressionSpace(("any",)).record(), **said})
        msg = f"{section.id}: a prediction on the scale {space} expected, found {found}: give its own space"
        raise InputError(msg)
    rows = predicted.obs_names.get_indexer(section.tiles.ids)
    if (rows < 0).any():
        msg = (
            f"{section.id}: a prediction for each of its {len(section)} spots expected, "
            f"found {(rows < 0).sum()} missing: predict section.tiles"
        )
        raise InputError(msg)
    column = predicted[:, gene].X
    values = np.asarray(column.toarray() if hasattr(column, "toarray") else column, np.float64).ravel()
    return space(section.counts)[:, space.genes.index(gene)].astype(np.float64), values[rows]


def _pcc(r: float) -> str:
    return "PCC undefined" if np.isnan(r) else f"PCC {r:.2f}"


def expression_unit(space: ExpressionSpace) -> str:
    """Say in words what a number on a scale is."""
    if space.scale == "residual":
        return "Pearson residual of counts"
    base = "ln" if np.isclose(space.log_base, math.e) else f"log{space.log_base:g}"
    return f"{base}(1 + counts per {space.target_sum:,.0f})" if space.axis == "spot" else "normalised expression"
