"""Models of patients: what each adds to the clinic, whether what is foretold comes true, ROC curves, numbers."""

from __future__ import annotations

from typing import Final

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from mclstexp.core.errors import InputError
from mclstexp.plotting.score_axes import GREY, method_rows
from mclstexp.plotting.style import COLOURS, style

_MARKS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_MOST: Final = 4  # horizons in one picture
_SQUARE_IN: Final = 2.9


def plot_outcome_differences(summary: pd.DataFrame, *, baseline: str = "clinical", ax: Axes | None = None) -> Axes:
    """Draw what each model adds to the baseline in C, with its interval; best on top.

    Parameters
    ----------
    summary
        Of an evaluation on a cohort.
    baseline
        What it was held against.
    ax
        A new figure of column width by default.

    Raises
    ------
    InputError
        If no model was held against it.
    """
    known = summary[summary["difference"].notna()].sort_values("difference", ascending=False)
    if known.empty:
        msg = f"models held against {baseline} expected, found none: evaluate one beside it"
        raise InputError(msg)
    kinds = pd.Series("method", index=known.index)
    with style():
        ax = method_rows(ax, [str(name) for name in known.index], kinds, metric="difference")
        for y, (_, row) in enumerate(known.iterrows()):
            ax.hlines(y, row["difference_low"], row["difference_high"], color=COLOURS[0], lw=1.6, gid="interval")
            ax.plot(row["difference"], y, "o", ms=3.4, color=COLOURS[0], gid="difference")
        ax.axvline(0, color=GREY, lw=0.8, zorder=0)
        ax.set_xlabel(f"C less that of {baseline}, and 95 % interval")
    return ax


def plot_outcome_calibration(groups: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what came against what was foretold, in quintiles of patients; on the diagonal it came true.

    Parameters
    ----------
    groups
        Of one model, as ``calibration.csv`` of an evaluation has them; of survival at each horizon.
    ax
        A new square figure by default.

    Raises
    ------
    InputError
        If there is no group.
    """
    if groups.empty:
        msg = "groups of patients with what was foretold and what came expected, found none: evaluate the model"
        raise InputError(msg)
    survival = groups["months"].notna().any()
    parts = [(f"{at:g} months", own) for at, own in groups.groupby("months")] if survival else [("", groups)]
    with style():
        ax = _unit_square(ax)
        for (name, own), mark, colour in zip(parts[:_MOST], _MARKS, COLOURS, strict=False):
            ax.vlines(own["predicted"], own["low"], own["high"], color=colour, lw=0.9, alpha=0.7)
            ax.plot(own["predicted"], own["observed"], mark, ls="-", lw=0.7, ms=3.6, color=colour, label=name)
        what = "without an event" if survival else "yes"
        ax.set(xlabel=f"foretold: {what}", ylabel=f"came: {what}")
        if survival:
            ax.legend(loc="upper left")
    return ax


def plot_roc(curves: pd.DataFrame, *, areas: pd.Series, ax: Axes | None = None) -> Axes:
    """Draw ROC curves, each the mean over folds, weighing by pairs: the area under it is the C of the table.

    Parameters
    ----------
    curves
        As ``roc.csv`` of an evaluation has them (`cohort.roc.roc_curves`).
    areas
        The C of each model that is drawn, in the order of the legend.
    ax
        A new square figure by default.
    """
    with style():
        ax = _unit_square(ax)
        for (name, area), colour, dashes in zip(areas.items(), COLOURS, ("-", "--", ":", "-."), strict=False):
            own = curves[curves["method"] == name]
            label = f"{name} ({area:.3f})"
            ax.plot(own["false_positive"], own["true_positive"], color=colour, ls=dashes, label=label, gid=str(name))
        ax.set(xlabel="of those with a no, called yes", ylabel="of those with a yes, called yes")
        ax.legend(loc="lower right")
    return ax


def plot_foretold(answers: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each patient's number against the one that was foretold; on the diagonal it came true.

    Parameters
    ----------
    answers
        "value" and "truth" of one model's patients.
    ax
        A new square figure by default.
    """
    ends = answers[["value", "truth"]].to_numpy(np.float64)
    with style():
        if ax is None:
            ax = plt.subplots(figsize=(_SQUARE_IN, _SQUARE_IN))[1]
        ax.scatter(answers["value"], answers["truth"], s=8, color=COLOURS[0], alpha=0.5, linewidth=0, gid="patients")
        ax.axline((float(ends.min()),) * 2, slope=1, color=GREY, lw=0.7, zorder=0, gid="diagonal")
        ax.set(xlabel="foretold", ylabel="came")
    return ax


def _unit_square(ax: Axes | None) -> Axes:
    if ax is None:
        ax = plt.subplots(figsize=(_SQUARE_IN, _SQUARE_IN))[1]
    ax.axline((0, 0), slope=1, color=GREY, lw=0.7, zorder=0, gid="diagonal")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    return ax
