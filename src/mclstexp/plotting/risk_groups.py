"""Kaplan-Meier curves of risk groups, with who is still at risk beneath."""

from __future__ import annotations

from typing import Any, Final

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mclstexp.core.errors import InputError
from mclstexp.plotting.score_axes import GREY
from mclstexp.plotting.style import COLOURS, COLUMN_IN, style

GROUPS: Final = {"low": (COLOURS[0], "-"), "high": (COLOURS[1], (0, (5, 1.5)))}
"""Colour and dashes of each risk group."""
_HEIGHT_IN: Final = 2.9
_ROW_PT: Final = 9.5
"""Height of a line of numbers beneath."""
_FIRST_PT: Final = -38.0
"""Where the first of them is, below the axis and its name."""


def plot_risk_groups(curves: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share without an event of each risk group, its 95 % limits, and how many are at risk.

    Parameters
    ----------
    curves
        Of one model, as ``risk_groups.csv`` of an evaluation has them (`cohort.risk_groups.risk_group_curves`).
    ax
        A new figure of column width by default.

    Raises
    ------
    InputError
        If there is no curve, or there are those of several models.
    """
    if curves["method"].nunique() != 1:
        msg = f"risk groups of one model expected, found those of {curves['method'].nunique()}: choose one"
        raise InputError(msg)
    with style():
        if ax is None:
            ax = plt.subplots(figsize=(COLUMN_IN, _HEIGHT_IN))[1]
        groups = [name for name in GROUPS if (curves["group"] == name).any()]
        for name in groups:
            _draw(ax, curves[curves["group"] == name], name)
        ax.set(xlim=(0, float(curves["months"].max())), ylim=(0, 1.0))
        ax.set(xlabel="months", ylabel="without an event")
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, handlelength=2.4)
        _numbers_beneath(ax, curves, groups)
    return ax


def at_risk(curve: pd.DataFrame, months: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Return how many of a group are at risk at some times."""
    place = np.searchsorted(curve["months"].to_numpy(np.float64), months, side="left")
    return np.append(curve["at_risk"].to_numpy(np.intp), 0)[place]


def _draw(ax: Axes, curve: pd.DataFrame, name: str) -> None:
    colour, dashes = GROUPS[name]
    months, n = curve["months"], int(curve["at_risk"].iloc[0])
    label = f"{name} risk ({n} patients, {int(curve['events'].sum())} events)"
    ax.fill_between(months, curve["low"], curve["high"], step="post", color=colour, alpha=0.13, lw=0)
    ax.step(months, curve["survival"], where="post", color=colour, ls=dashes, label=label, gid=f"{name} risk")


def _numbers_beneath(ax: Axes, curves: pd.DataFrame, groups: list[str]) -> None:
    """Write the numbers at risk under the axis."""
    ticks = np.array([tick for tick in ax.get_xticks() if 0 <= tick <= ax.get_xlim()[1]])
    _write(ax, "at risk", 0, _FIRST_PT, color=GREY, ha="left")
    for row, name in enumerate(groups, start=1):
        y, curve = _FIRST_PT - row * _ROW_PT, curves[curves["group"] == name]
        _write(ax, name, 0, y, color=GROUPS[name][0], ha="right", left_pt=-14.0)
        for tick, number in zip(ticks, at_risk(curve, ticks), strict=True):
            _write(ax, str(number), float(tick), y, ha="center")


def _write(ax: Axes, text: str, x: float, y_pt: float, *, left_pt: float = 0.0, **looks: Any) -> None:
    looks |= {"xycoords": ax.get_xaxis_transform(), "textcoords": "offset points", "annotation_clip": False}
    ax.annotate(text, (x, 0), (left_pt, y_pt), fontsize=6.5, va="center", **looks)
