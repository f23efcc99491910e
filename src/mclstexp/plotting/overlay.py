"""Spots drawn on their slide: whether places and pixels belong together, for the eye."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.patheffects import withStroke

from mclstexp.core import keys
from mclstexp.core.section import Section
from mclstexp.io.pitch import neighbour_distance_px
from mclstexp.plotting.style import COLOURS, PAGE_IN, scale_bar, style

_SPOT, _ORIGIN = COLOURS[0], COLOURS[1]


def plot_overlay(section: Section, *, ax: Axes | None = None, max_size_px: int = 2000) -> Axes:
    """Draw a section's spots over its image, so that a swap, a flip or a wrong scale is seen.

    Parameters
    ----------
    section
        What was read. Spots are drawn as wide as ``counts.uns`` says they are, or else as half their distance.
    ax
        Where to draw; a new figure of page width by default.
    max_size_px
        Longer side of the picture that is read.

    Returns
    -------
    The axes, in µm from the slide's upper left corner, wide enough for spots beside the image. A ring marks the
    array's origin: the spot of smallest array x + y, upper left on every array seen from its front unturned.
    """
    slide, xy_um = section.tiles.slide, section.tiles.xy_um
    image_um, spot_um = np.array(slide.size_px) * slide.mpp, _spot_um(section)
    with style():
        if ax is None:
            _, ax = plt.subplots(figsize=(PAGE_IN, PAGE_IN))
        ax.imshow(slide.thumbnail(max_size_px), extent=(0, image_um[0], image_um[1], 0))
        _rings(ax, xy_um, spot_um, colour=_SPOT, name="spots")
        if section.tiles.array_xy is not None:
            origin = np.argmin(section.tiles.array_xy.sum(axis=1))
            _rings(ax, xy_um[[origin]], 2 * spot_um, colour=_ORIGIN, name="array origin")
            ax.plot([], [], "o", markerfacecolor="none", color=_ORIGIN, label="array origin")
            ax.legend(loc="upper right", frameon=True)
        low = np.minimum(xy_um.min(axis=0) - spot_um, 0)
        high = np.maximum(xy_um.max(axis=0) + spot_um, image_um)
        ax.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]), aspect="equal")
        ax.set_axis_off()
        scale_bar(ax)
        ax.set_title(f"{section.id}: {len(section)} spots, {slide.mpp:.3g} µm per pixel")
    return ax


def _spot_um(section: Section) -> float:
    stated = section.counts.uns.get(keys.SPOT_DIAMETER_UM)
    if isinstance(stated, int | float | np.number) and stated > 0:
        return float(stated)
    distance_px = neighbour_distance_px(section.tiles.xy)
    return distance_px * section.tiles.slide.mpp / 2 if distance_px else section.tiles.spec.size_um


def _rings(ax: Axes, xy_um: Float[np.ndarray, "n 2"], diameter_um: float, *, colour: str, name: str) -> None:
    """Draw rings of true size; a white halo parts them from tissue of any colour."""
    size = np.full(len(xy_um), diameter_um)
    rings = EllipseCollection(
        size, size, np.zeros(len(xy_um)), units="xy", offsets=xy_um, offset_transform=ax.transData, gid=name
    )
    rings.set(facecolor="none", edgecolor=colour, linewidth=1.0)
    rings.set_path_effects([withStroke(linewidth=2.0, foreground="white")])
    ax.add_collection(rings)
