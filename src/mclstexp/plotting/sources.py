"""Where a prediction comes from: the measured spots of every section, coloured by what they weigh in it."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.predictor import Predictor
from mclstexp.core.retrieval import Retrieval, strongest
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles
from mclstexp.plotting.gallery import find_spots
from mclstexp.plotting.maps import FADED, colour_bar, plot_slide
from mclstexp.plotting.spots import draw_spots, view_of
from mclstexp.plotting.style import COLOURS, EXPRESSION, PAGE_IN, style


def plot_sources(
    model: Predictor,
    tiles: Tiles,
    sections: Sequence[Section],
    *,
    at: int,
    axes: Sequence[Axes] | NDArray | None = None,
) -> NDArray:
    """Draw one asked tile on its slide and, on every section of the fit, the weight of each spot in its prediction.

    Parameters
    ----------
    model
        Fitted, and one that retrieves (mclstexp, bleep, st_gchb, knn).
    tiles
        All that are asked: a method may look at those around a tile too.
    sections
        Those the model was fitted on, in any order.
    at
        Number of the tile.
    axes
        One more than the model's sections; a new figure of page width by default.

    Returns
    -------
    The axes: the slide that is asked about, then the sections in the order of the fit; titles say how much of the
    prediction comes from each. Spots that do not contribute are not drawn.

    Raises
    ------
    InputError
        If the model keeps no spots, or a section it was fitted on is missing or not the same.
    """
    weights = spot_weights(model.retrieve(tiles), at)
    of_spot = [section.id for section, _ in find_spots(model, sections)]
    given = {section.id: section for section in sections}
    fitted = [given[name] for name in dict.fromkeys(of_spot)]
    with style():
        axes = _panels(axes, 1 + len(fitted), view_of(tiles))
        plot_slide(tiles.slide, ax=axes[0], view=view_of(tiles)).set_title(f"asked: {tiles.slide.id}")
        axes[0].plot(*tiles.xy_um[at], "o", ms=6, mfc="none", mec="white", mew=2.4)
        axes[0].plot(*tiles.xy_um[at], "o", ms=6, mfc="none", mec=COLOURS[1], mew=1.4, gid="asked")
        for ax, section in zip(axes[1:], fitted, strict=True):
            percent = 100 * weights[np.array(of_spot) == section.id]
            plot_slide(section.tiles.slide, ax=ax, fade=FADED, view=view_of(section.tiles))
            ax.set_title(f"{section.id}: {percent.sum():.0f} %")
            used = np.flatnonzero(percent > 0)
            spot_um = section.counts.uns.get(keys.SPOT_DIAMETER_UM)
            drawn = draw_spots(
                ax,
                section.tiles.take(used),
                percent[used],
                limits=(0, 100 * float(weights.max())),
                cmap=EXPRESSION,
                spot_um=spot_um,
            )
        label = "weight of the spot in the prediction, %"
        colour_bar(drawn, list(axes[1:]), label=label, beneath=True, columns=len(fitted))
    return axes


def spot_weights(retrievals: Sequence[Retrieval], at: int) -> Float[np.ndarray, " n_spots"]:
    """Return what each training spot weighs in the prediction of tile `at`, over all models; they sum to 1.

    Raises
    ------
    InputError
        If there is no retrieval: the method keeps no spots.
    """
    strongest(retrievals, n=1)  # says why not
    weights = np.zeros(len(retrievals[0].spots))
    for part in retrievals:
        np.add.at(weights, part.rows[at], part.weight * part.shares[at].astype(np.float64))
    return weights


def _panels(axes: Sequence[Axes] | NDArray | None, n: int, view: tuple[float, float, float, float]) -> NDArray:
    if axes is None:
        left, right, top, bottom = view
        height_in = PAGE_IN / n * (bottom - top) / (right - left) + 0.75
        axes = plt.subplots(1, n, figsize=(PAGE_IN, height_in), layout="compressed")[1]
    axes = np.asarray(axes, dtype=object).ravel()
    if len(axes) != n:
        msg = f"{n} axes expected (the asked slide and {n - 1} sections), found {len(axes)}: give {n} or none"
        raise InputError(msg)
    return axes
