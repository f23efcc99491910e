"""The figures of a run: who scores what, how sure that is, gene by gene, and how far from the ceiling."""

from __future__ import annotations

from typing import Final

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from mclstexp.plotting.scores import (
    plot_method_against_method,
    plot_score_against_ceiling,
    plot_score_distributions,
    plot_summary,
)
from mclstexp.plotting.style import COLUMN_IN, style

_ROW_IN: Final = 0.24
"""Height of a method's row."""


def draw_figures(scores: pd.DataFrame, summary: pd.DataFrame) -> dict[str, Figure]:
    """Draw what a run's results are shown with.

    Parameters
    ----------
    scores, summary
        Of `evaluate` and `summarise`.

    Returns
    -------
    Figures by name: "summary" (means with intervals), "distributions" (over genes), "first_against_second" (gene by
    gene) and "against_ceiling" (of the best method); the last two only where there are methods enough.
    """
    judged = [str(name) for name, row in summary.iterrows() if row["kind"] != "reference" and row["pcc"] > 0]
    height = 0.8 + _ROW_IN * len(summary)
    figures = {}
    with style():
        figures["summary"], ax = plt.subplots(figsize=(COLUMN_IN, height))
        plot_summary(summary, ax=ax)
        figures["distributions"], ax = plt.subplots(figsize=(COLUMN_IN, height))
        plot_score_distributions(scores, ax=ax)
        if len(judged) > 1:
            figures["first_against_second"], ax = plt.subplots(figsize=(COLUMN_IN, COLUMN_IN))
            plot_method_against_method(scores, judged[1], judged[0], ax=ax)
        if judged:
            figures["against_ceiling"], ax = plt.subplots(figsize=(COLUMN_IN, COLUMN_IN))
            plot_score_against_ceiling(scores, judged[0], ax=ax)
    return figures
