"""Painted tiles beside the measured ones that they were asked for by; every painted one says that it is synthetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mclstexp.plotting.style import COLOURS, PAGE_IN, scale_bar, style

_ROW_IN: Final = 0.22
"""Room above a row of tiles for its name."""


def plot_painted(
    rows: Sequence[tuple[str, UInt8[np.ndarray, "n side side 3"], UInt8[np.ndarray, "n side side 3"]]],
    *,
    mpp: float,
    axes: NDArray | None = None,
) -> NDArray:
    """Draw measured tiles on the left and painted ones on the right, a row for each thing asked.

    Parameters
    ----------
    rows
        For each its name, measured tiles, and as many painted ones, in the same order.
    mpp
        µm per pixel of all of them.
    axes
        Where to draw: for each row one for each tile, with one between measured and painted; made here by default.

    Returns
    -------
    The axes (n_rows, 2 · n_tiles + 1).
    """
    n = max(len(measured) for _, measured, _ in rows)
    with style():
        axes = _lines(len(rows), n) if axes is None else np.atleast_2d(axes)
        for (name, measured, painted), line in zip(rows, axes, strict=True):
            for ax in line:
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
            _row(line[:n], measured, said=f"{name} · measured", colour=COLOURS[6])
            _row(line[n + 1 :], painted, said=f"{name} · synthetic", colour=COLOURS[1])
        scale_bar(axes[0, 0], mpp)
    return axes


def _lines(n_rows: int, n: int) -> NDArray:
    side = PAGE_IN / (2 * n + 0.5)
    height = n_rows * (side + _ROW_IN)
    grid = {"left": 0.01, "right": 0.99, "bottom": 0.02, "top": 1 - _ROW_IN / height, "wspace": 0.06}
    return plt.subplots(
        n_rows,
        2 * n + 1,
        figsize=(PAGE_IN, height),
        squeeze=False,
        layout="none",  # one that fits words would give the first tile the room of its row's name
        gridspec_kw={"width_ratios": [*[1] * n, 0.5, *[1] * n], "hspace": _ROW_IN / side, **grid},
    )[1]


def _row(axes: Sequence[Axes], pictures: UInt8[np.ndarray, "n side side 3"], *, said: str, colour: str) -> None:
    for ax, picture in zip(axes, pictures, strict=False):
        ax.imshow(picture, interpolation="nearest")
        ax.spines[:].set(visible=True, color=colour, linewidth=0.8)
    axes[0].set_title(said, loc="left", fontsize=7, color=colour)
