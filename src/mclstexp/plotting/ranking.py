"""Genes in the order of how well they are predicted, with all that bears on trusting them."""

from __future__ import annotations

from typing import Final

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mclstexp.core.errors import InputError
from mclstexp.plotting.score_axes import GREY
from mclstexp.plotting.style import COLOURS, COLUMN_IN, MISSING, style

VERDICT_COLOURS: Final = {"predictable": COLOURS[0], "doubtful": COLOURS[4], "not predictable": GREY}
"""Colours of the verdicts of `rank_genes`."""
_ROW_IN: Final = 0.16


def plot_gene_ranking(ranking: pd.DataFrame, *, n_genes: int = 20, ax: Axes | None = None) -> Axes:
    """Draw the first genes of a ranking: PCC on each section, their mean, and the noise ceiling.

    Parameters
    ----------
    ranking
        Of `rank_genes`, best first.
    n_genes
        How many.
    ax
        A new figure of column width by default.

    Returns
    -------
    The axes, the first gene on top. Small dots: sections; large dot: mean, in the colour of the verdict (which rests on
    the PCC given depth); upright: ceiling. Right of them the published score (mean of -log10 p).

    Raises
    ------
    InputError
        If the table is no ranking.
    """
    missing = {"score", "pcc", "ceiling", "verdict"} - set(ranking.columns)
    if missing or not len(ranking):
        msg = f"a ranking of rank_genes expected, found a table without {', '.join(sorted(missing)) or 'rows'}"
        raise InputError(msg)
    shown = ranking.head(n_genes)
    sections = [name for name in ranking.columns if name.startswith("pcc_")]
    with style():
        if ax is None:
            ax = plt.subplots(figsize=(COLUMN_IN, 0.8 + _ROW_IN * len(shown)))[1]
        for y, (_, row) in enumerate(shown.iterrows()):
            ax.plot(row[sections], [y] * len(sections), "o", ms=1.8, color=MISSING, mec=GREY, mew=0.3, gid="sections")
            ax.vlines(row["ceiling"], y - 0.32, y + 0.32, color="black", lw=1, gid="ceiling")
            ax.plot(row["pcc"], y, "o", ms=4, color=VERDICT_COLOURS[str(row["verdict"])], gid="mean")
            ax.annotate(f"{row['score']:.1f}", (1.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=6.5)
        ax.annotate("mean of\n$-\\log_{10}p$", (1.02, 1), xycoords="axes fraction", va="bottom", fontsize=6)
        ax.set_yticks(range(len(shown)), list(map(str, shown.index)), fontstyle="italic")
        ax.set(ylim=(len(shown) - 0.4, -0.6), xlabel="PCC")
        ax.tick_params(axis="y", length=0)
        ax.axvline(0, color=MISSING, lw=0.6, zorder=0)
        verdicts = [name for name in VERDICT_COLOURS if (shown["verdict"] == name).any()]
        marks = [Line2D([], [], ls="", marker="o", ms=4, color=VERDICT_COLOURS[name], label=name) for name in verdicts]
        marks.append(Line2D([], [], ls="", marker="|", ms=6, color="black", label="ceiling"))
        marks.append(Line2D([], [], ls="", marker="o", ms=2, color=MISSING, mec=GREY, mew=0.3, label="section"))
        ax.legend(
            handles=marks,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=3 if len(marks) == 3 else 2,  # wider would reach the heading of the scores
            handletextpad=0,
            columnspacing=0.7,
        )
    return ax
