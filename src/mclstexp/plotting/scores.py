"""Scores: every gene's, method beside method, method against method, and against the noise ceiling."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from mclstexp.core.errors import InputError
from mclstexp.evaluation.score_table import (
    CEILING_METRIC,
    CEILINGS,
    averaged,
    beside_ceiling,
    comparable,
    gene_means,
    gene_set_names,
    merit,
    rows_of,
    unit_means,
    usual_over,
)
from mclstexp.plotting.score_axes import KINDS, draw_box, label_of, method_rows, name_points, square
from mclstexp.plotting.style import COLOURS, MISSING, style

_NAMED: Final = 6


def plot_score_distributions(
    scores: pd.DataFrame, *, metric: str = "pcc", gene_set: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how each method's scores spread over genes, best mean on top, controls grey, references beneath.

    Parameters
    ----------
    scores
        A table of `evaluate`.
    metric
        What is shown; beside a correlation that has one stands its noise ceiling.
    gene_set
        Only these genes.
    ax
        A new figure of column width by default.

    Returns
    -------
    The axes: per method the mean over genes (dot), median and quartiles (box) and the middle 90 % (line) of each
    gene's mean over sections, patients weighing alike.

    Raises
    ------
    InputError
        If rows may not be compared, or metric or gene set are not in the table.
    """
    scores = comparable(scores)
    table = gene_means(scores, metric=metric, gene_set=gene_set)
    ceiling = CEILINGS.get(metric, "")
    if (scores["metric"] == ceiling).any():
        table = table.join(gene_means(scores, metric=ceiling, gene_set=gene_set).clip(lower=0), how="left")
    kinds = scores.groupby("method", observed=True)["kind"].first().astype(str)
    order = _order(merit(metric, table.mean()), kinds)
    with style():
        ax = method_rows(ax, order, kinds, metric=metric)
        for y, name in enumerate(order):
            draw_box(ax, y, table[name].dropna().to_numpy(), colour=KINDS[kinds[name]])
        shown = [kind for kind in KINDS if kind in set(kinds[order])]
        handles = [Patch(color=KINDS[kind], label=kind) for kind in shown]
        ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2, handlelength=1)
        which = "" if gene_set is None else f" ({gene_set})"
        ax.set_xlabel(
            f"{label_of(metric)} of each gene{which}, mean over sections\nbox: quartiles · line: 5-95 % · dot: mean"
        )
    return ax


def plot_method_against_method(
    scores: pd.DataFrame,
    x: str,
    y: str,
    *,
    metric: str = "pcc",
    gene_set: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one dot per gene: its score by one method against its score by another.

    Parameters
    ----------
    scores
        A table of `evaluate`.
    x, y
        Two methods.
    metric
        What is shown.
    gene_set
        Only these genes.
    ax
        A new figure of column width by default.

    Returns
    -------
    The axes: means over sections, patients weighing alike; the title says for which share of genes `y` is better,
    and the genes that either predicts best are named.

    Raises
    ------
    InputError
        If rows may not be compared, or a name is not in the table.
    """
    table = gene_means(comparable(scores), metric=metric, gene_set=gene_set)
    table = table[[_known(x, table.columns), _known(y, table.columns)]].dropna()
    better = merit(metric, table[y]) > merit(metric, table[x])
    best = pd.concat([merit(metric, table[x]), merit(metric, table[y])], axis=1).max(axis=1).nlargest(_NAMED).index
    with style():
        ax = square(ax, table.to_numpy())
        ax.scatter(table[x], table[y], s=7, color=COLOURS[0], alpha=0.45, linewidth=0, gid="genes")
        name_points(ax, table.loc[best])
        ax.set(xlabel=f"{label_of(metric)}, {x}", ylabel=f"{label_of(metric)}, {y}")
        ax.set_title(f"{y} better for {100 * better.mean():.0f} % of {len(table)} genes")
    return ax


def plot_score_against_ceiling(scores: pd.DataFrame, method: str, *, ax: Axes | None = None) -> Axes:
    """Draw each gene's PCC against its noise ceiling: what is left to gain, and for which genes nothing is.

    Parameters
    ----------
    scores
        A table of `evaluate` with the noise ceiling.
    method
        Whose PCC.
    ax
        A new figure of column width by default.

    Returns
    -------
    The axes: means over sections, patients weighing alike; coloured by the first gene set that a gene is in (in at
    least half of the folds); on the diagonal nothing is left to gain.

    Raises
    ------
    InputError
        If rows may not be compared, or the method or the ceiling is not in the table.
    """
    scores = comparable(scores)
    table, sets = _beside_ceiling(scores, method), gene_set_names(scores)
    with style():
        ax = square(ax, table[["ceiling", "pcc"]].to_numpy(np.float64))
        for name, colour in [("other", MISSING), *zip(sets, COLOURS, strict=False)]:
            dots = table[table["set"] == name]
            label = f"{name} ({len(dots)})"
            ax.scatter(dots["ceiling"], dots["pcc"], s=7, color=colour, linewidth=0, alpha=0.8, gid=name, label=label)
        name_points(ax, table.loc[table["pcc"].nlargest(_NAMED).index, ["ceiling", "pcc"]])
        ax.legend(loc="upper left", handletextpad=0.1, title="first gene set" if len(sets) > 1 else None)
        ax.set(xlabel="noise ceiling of the gene", ylabel=f"PCC, {method}")
    return ax


def plot_summary(summary: pd.DataFrame, *, column: str = "pcc", ax: Axes | None = None) -> Axes:
    """Draw each method's mean and its interval, best on top, controls grey, references as lines.

    Parameters
    ----------
    summary
        Of `summarise`.
    column
        Which of its means; an interval is drawn where the summary has one.
    ax
        A new figure of column width by default.

    Raises
    ------
    InputError
        If the summary has no such column.
    """
    if column not in summary:
        msg = f"a column of the summary expected, found {column!r}: choose one of {', '.join(summary.columns[:5])}, …"
        raise InputError(msg)
    known = summary[summary[column].notna()]
    order = _order(merit(column, known[column]), known["kind"])
    judged = [name for name in order if known.loc[name, "kind"] != "reference"]
    with style():
        ax = method_rows(ax, judged, known["kind"], metric=column)
        for y, name in enumerate(judged):
            row, colour = known.loc[name], KINDS[str(known["kind"][name])]
            if pd.notna(row.get(f"{column}_low")):
                ax.hlines(y, row[f"{column}_low"], row[f"{column}_high"], color=colour, lw=1.6, gid="interval")
            ax.plot(row[column], y, "o", ms=3.4, color=colour, gid="mean")
        for name, dashes in zip([name for name in order if name not in judged], ("--", ":"), strict=False):
            at = float(known[column][name])
            ax.axvline(at, color=KINDS["reference"], ls=dashes, lw=1, zorder=0, gid="reference", label=name)
        if len(order) > len(judged):
            ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
        sure = " and 95 % interval" if f"{column}_low" in known and known[f"{column}_low"].notna().any() else ""
        over, between = (_counted(summary, summary.attrs[of]) for of in ("over", "units"))
        shared = sure if over == between else ""
        apart = f",{sure.removeprefix(' and')} over {between}" if sure != shared else ""
        ax.set_xlabel(f"{label_of(column)}: mean{shared} over {over}{apart}")
    return ax


def _counted(summary: pd.DataFrame, unit: str) -> str:
    n_units = summary.attrs[f"n_{unit}s"]
    return f"{n_units} {unit}{'' if n_units == 1 else 's'}"


def _beside_ceiling(scores: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return (n_genes,) "ceiling", "pcc" and first gene "set", over the sections that the method was scored on."""
    methods = rows_of(scores, metric="pcc")["method"].unique().astype(str)
    rows_of(scores, metric=CEILING_METRIC)
    pcc = scores[scores["metric"].isin(("pcc", CEILING_METRIC))]
    rows = averaged(beside_ceiling(pcc)).loc[lambda rows: rows["method"] == _known(method, methods)]
    means = {
        name: unit_means(rows, over=usual_over(rows), per=("gene",), value=value).groupby("gene", observed=True).mean()
        for name, value in (("ceiling", "value_ceiling"), ("pcc", "value"))
    }
    table, sets = pd.DataFrame(means), gene_set_names(scores)
    table["ceiling"] = table["ceiling"].clip(lower=0)  # below it nothing was measured
    table["set"] = "other"
    for name in reversed(sets):
        table.loc[rows.groupby("gene", observed=True)[name].mean() >= 0.5, "set"] = name
    return table.rename(index=str)


def _order(merits: pd.Series, kinds: pd.Series) -> list[str]:
    """Return names best first, references last."""
    last = (kinds.reindex(merits.index) == "reference").to_numpy()
    return [str(name) for name in merits.index[np.lexsort((-merits.to_numpy(), last))]]


def _known(method: str, methods: Iterable[str]) -> str:
    if method not in methods:
        msg = f"a method of the table ({', '.join(methods)}) expected, found {method!r}: name one"
        raise InputError(msg)
    return method
