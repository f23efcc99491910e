"""The figures of a run: who scores what, how sure that is, gene by gene, and how far from the ceiling."""

from __future__ import annotations

from typing import cast

import pandas as pd
from matplotlib.figure import Figure

from mclstexp.evaluation.score_table import CEILING_METRIC
from mclstexp.plotting.scores import (
    plot_method_against_method,
    plot_score_against_ceiling,
    plot_score_distributions,
    plot_summary,
)


def draw_figures(scores: pd.DataFrame, summary: pd.DataFrame) -> dict[str, Figure]:
    """Draw what a run's results are shown with.

    Parameters
    ----------
    scores, summary
        Of `evaluate` and `summarise`.

    Returns
    -------
    Figures by name: "summary" (means with intervals), "distributions" (over genes), "first_against_second" (gene by
    gene) and "against_ceiling" (of the best method); the last two only where there are methods enough, and a ceiling.
    """
    main = str(summary.attrs.get("metric", "pcc"))
    axes = {"summary": plot_summary(summary, column=main)}
    if main != "pcc":
        return {"summary": cast("Figure", axes["summary"].get_figure(root=True))}
    judged = [str(name) for name, row in summary.iterrows() if row["kind"] != "reference" and row["pcc"] > 0]
    axes["distributions"] = plot_score_distributions(scores)
    if len(judged) > 1:
        axes["first_against_second"] = plot_method_against_method(scores, judged[1], judged[0])
    if judged and (scores["metric"] == CEILING_METRIC).any():
        axes["against_ceiling"] = plot_score_against_ceiling(scores, judged[0])
    return {name: cast("Figure", ax.get_figure(root=True)) for name, ax in axes.items()}
