"""The map of kinds of tissue and pathways: what the two add together."""

from __future__ import annotations

from typing import Final

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mclstexp.core.errors import InputError
from mclstexp.plotting.maps import colour_bar
from mclstexp.plotting.style import DIFFERENCE, PAGE_IN, style

_CELL_IN: Final = 0.2
_MARGIN_IN: Final = 1.9
"""Beside the cells: names of kinds, and the colour bar."""
_LETTER_IN: Final = 0.064
"""Height of a letter of a pathway's name, which stands aslant beneath."""
_LETTERS: Final = 28


def plot_products(mean: pd.DataFrame, *, same: pd.DataFrame | None = None, ax: Axes | None = None) -> Axes:
    """Draw coefficients of products, kinds of tissue by pathways, on a scale that has its middle at 0.

    Parameters
    ----------
    mean
        Coefficients, kinds as index and pathways as columns.
    same
        In which share of the folds each has the sign of the mean: 1 gets a dot.
    ax
        A new figure, as large as it needs to be, by default.

    Raises
    ------
    InputError
        If there is no coefficient.
    """
    if mean.empty:
        msg = "coefficients of kinds of tissue with pathways expected, found none: evaluate a model that has products"
        raise InputError(msg)
    most = float(np.nanmax(np.abs(mean.to_numpy(np.float64)))) or 1.0
    with style():
        pathways = _names(mean.columns)
        if ax is None:
            width = _MARGIN_IN + _CELL_IN * mean.shape[1]
            height = 0.4 + _CELL_IN * mean.shape[0] + _LETTER_IN * max(map(len, pathways))
            ax = plt.subplots(figsize=(max(width, PAGE_IN / 2), max(height, PAGE_IN / 3)))[1]
        drawn = ax.imshow(mean.to_numpy(np.float64), cmap=DIFFERENCE, vmin=-most, vmax=most, gid="products")
        ax.set_xticks(range(mean.shape[1]), pathways, rotation=55, ha="right")
        ax.set_yticks(range(mean.shape[0]), [str(name) for name in mean.index])
        for label in ax.get_xticklabels():
            label.set_rotation_mode("anchor")
        ax.tick_params(length=0)
        if same is not None:
            rows, columns = np.nonzero(same.loc[mean.index, mean.columns].to_numpy(np.float64) >= 1)
            ax.plot(columns, rows, "o", ms=2.2, color="black", gid="one sign in all folds")
        colour_bar(drawn, [ax], label="mean over folds")
    return ax


def _names(columns: pd.Index) -> list[str]:
    """Return names without what all begin with ("HALLMARK_"), cut where they are long."""
    names = [str(name) for name in columns]
    first = {name.partition("_")[0] for name in names if "_" in name}
    alike = len(first) == 1 and len(names) > 1 and all("_" in name for name in names)
    bare = [name.partition("_")[2] if alike else name for name in names]
    return [name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…" for name in bare]
