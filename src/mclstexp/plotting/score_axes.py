"""What figures of scores are drawn on: lines of methods, boxes, squares with a diagonal, names beside dots."""

from __future__ import annotations

from typing import Final

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from sklearn.isotonic import isotonic_regression

from mclstexp.evaluation.score_table import LOWER_IS_BETTER
from mclstexp.plotting.style import COLOURS, COLUMN_IN, MISSING

GREY: Final = "#6f6f6f"
"""Colour of what stands back."""
KINDS: Final = {"method": COLOURS[0], "control": GREY, "reference": COLOURS[1]}
"""Colours of the kinds of methods."""
_ROW_IN: Final = 0.165  # one method's line: its name at 7 points, and air
_NO_SKILL: Final = {"auc": 0.5, "dispersion": 1.0}  # elsewhere 0; a spread of 1 is the truth's own
_APART: Final = 0.055  # share of the height that a name takes


def method_rows(ax: Axes | None, names: list[str], kinds: pd.Series, *, metric: str) -> Axes:
    """Prepare one line per name, the first on top, the name in its kind's colour, and mark the value of no skill."""
    if ax is None:
        ax = plt.subplots(figsize=(COLUMN_IN, 0.75 + _ROW_IN * len(names)))[1]
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.use_sticky_edges = False  # nothing is cut at the edge
    if metric not in LOWER_IS_BETTER:
        ax.axvline(_NO_SKILL.get(metric, 0.0), color=MISSING, lw=0.6, zorder=0, gid="no skill")
    for label, name in zip(ax.get_yticklabels(), names, strict=True):
        label.set_color("black" if kinds[name] == "method" else KINDS[kinds[name]])
    return ax


def draw_box(ax: Axes, y: int, values: Float[np.ndarray, " n_genes"], *, colour: str) -> None:
    """Draw quartiles and median, the middle 90 % as a line and the mean as a dot."""
    if not len(values):
        return
    low, lower, median, upper, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
    ax.hlines(y, low, high, color=colour, lw=0.8, gid="middle")
    ax.barh(y, upper - lower, left=lower, height=0.62, color=colour, alpha=0.35, lw=0, gid="quartiles")
    ax.vlines(median, y - 0.31, y + 0.31, color=colour, lw=1.2, gid="median")
    ax.plot(values.mean(), y, "o", ms=3, color=colour, gid="mean")


def square(ax: Axes | None, values: Float[np.ndarray, "n_genes 2"]) -> Axes:
    """Prepare axes with equal limits and the diagonal."""
    if ax is None:
        ax = plt.subplots(figsize=(COLUMN_IN, COLUMN_IN * 0.8))[1]
    low, high = (float(end) for end in (values.min(), values.max())) if len(values) else (0.0, 1.0)
    pad = 0.04 * (high - low) or 0.5
    ax.set(xlim=(low - pad, high + pad), ylim=(low - pad, high + pad), aspect="equal")
    ax.axline((low, low), slope=1, color=GREY, lw=0.7, zorder=0, gid="diagonal")
    return ax


def name_points(ax: Axes, points: pd.DataFrame) -> None:
    """Write names of points (x, y) in a column right of the axes, where no dot or other name is in the way."""
    points = points.sort_values(points.columns[1])
    low, high = ax.get_ylim()
    heights = (points.iloc[:, 1].to_numpy() - low) / (high - low)
    if len(heights) == 0:
        return
    # the heights nearest to the points' own that leave room between names
    apart = _APART * np.arange(len(heights))
    heights = isotonic_regression(heights - apart) + apart
    heights -= max(0.0, heights[-1] - 1) + min(0.0, heights[0])
    for name, (x, y), height in zip(points.index, points.to_numpy(), heights, strict=True):
        ax.annotate(
            str(name),
            (x, y),
            xytext=(1.05, height),
            textcoords="axes fraction",
            va="center",
            fontsize=6.5,
            fontstyle="italic",
            arrowprops={"arrowstyle": "-", "lw": 0.4, "color": GREY, "shrinkA": 1, "shrinkB": 2, "relpos": (0, 0.5)},
            annotation_clip=False,
        )


def label_of(metric: str) -> str:
    """Return a metric's name as people write it."""
    short = {"r2": "R²", "moran_error": "error of Moran's I"}
    upper = metric.startswith(("pcc", "mse", "mae", "nrmse", "ssim", "nmi", "js", "auc"))
    head, *rest = metric.split("_")
    return short.get(metric, " ".join([head.upper() if upper else head, *rest]))
