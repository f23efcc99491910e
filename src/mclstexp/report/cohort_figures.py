"""Drawings of the page of a cohort; each stands there whether or not scripts run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from mclstexp.plotting.outcomes import plot_foretold, plot_outcome_calibration, plot_outcome_differences, plot_roc
from mclstexp.plotting.products import plot_products
from mclstexp.plotting.risk_groups import plot_risk_groups
from mclstexp.plotting.style import style
from mclstexp.report.cohort_kinds import PairOf, strongest
from mclstexp.report.cohort_study import CohortStudy
from mclstexp.report.cohort_text import ranged, signed
from mclstexp.report.page_figures import Drawing, as_svg, short

_MOST_CURVES: Final = 4
_LETTERS: Final = 42  # of a model's name: clinical+ and the longest
_WIDE_IN: Final = (4.9, 3.4)
_SQUARE_IN: Final = (3.6, 3.6)
_ROW_IN: Final = 0.2


def draw_differences(study: CohortStudy) -> list[Drawing]:
    """Draw what each model adds to the baseline; nothing where none was held against it."""
    known = study.summary[study.summary["difference"].notna()].sort_values("difference", ascending=False)
    if known.empty:
        return []
    said = "; ".join(
        f"{name} {signed(row['difference'])} ({signed(row['difference_low'])} to {signed(row['difference_high'])})"
        for name, row in known.iterrows()
    )
    ax = plot_outcome_differences(
        study.summary.rename(index=_named), baseline=study.baseline, ax=_axes((6.0, 0.8 + _ROW_IN * len(known)))
    )
    return [
        Drawing(
            as_svg(ax.figure),
            alt=f"What each model adds to {study.baseline} in C, with its 95 % interval: {said}.",
            caption=f"Right of the line a model ranks patients better than {study.baseline}. An interval that holds 0 "
            "leaves open whether it does; patients are drawn anew, models are not fitted anew.",
        )
    ]


def draw_groups(study: CohortStudy) -> list[Drawing]:
    """Draw Kaplan-Meier's curves of the risk groups of the page's model, and of the baseline."""
    drawings = []
    for name in study.looked_at:
        curves = study.of(study.risk_groups, name)
        if curves.empty or curves["group"].nunique() < 2:
            continue
        ax = plot_risk_groups(curves, ax=_axes(_WIDE_IN))
        ax.set_title(_named(name), pad=30)
        drawings.append(
            Drawing(
                as_svg(ax.figure),
                alt=f"Kaplan-Meier curves of patients at low and at high risk by {name}: {_medians(curves)}.",
                caption=f"{name}: share without an event, with 95 % limits, and how many are at risk. Each patient's "
                "risk is of a fit that did not see it; groups are cut at the median of that fit's training patients.",
            )
        )
    return drawings


def _medians(curves: pd.DataFrame) -> str:
    said = []
    for group, curve in curves.groupby("group", sort=True):
        half = curve.loc[curve["survival"] <= 0.5, "months"]
        until = f"half have an event within {half.iloc[0]:.1f} months" if len(half) else "fewer than half have an event"
        n, events = int(curve["at_risk"].iloc[0]), int(curve["events"].sum())
        said.append(f"of {n} at {group} risk {events} have an event, {until}")
    return "; ".join(said)


def draw_ranking(study: CohortStudy) -> list[Drawing]:
    """Draw what stands in place of Kaplan-Meier's curves: ROC curves, or each number beside the one foretold."""
    if study.kind == "binary":
        rivals = [n for n, row in study.summary.iterrows() if row["n_parameters"] > 0 and not row["n_failed"]]
        shown = list(dict.fromkeys([*study.looked_at, *map(str, rivals)]))[:_MOST_CURVES]
        areas = study.summary.loc[shown, "c"]
        said = ", ".join(f"{name} {ranged(study.row(name), 'c')}" for name in shown)
        ax = plot_roc(study.roc, areas=areas, ax=_axes(_SQUARE_IN))
        return [
            Drawing(
                as_svg(ax.figure),
                alt=f"ROC curves; areas under them with 95 % intervals: {said}.",
                caption="ROC curves, each the mean over folds: the area under it is the C of the table. On the "
                "diagonal nothing is known.",
            )
        ]
    if study.kind == "continuous":
        return [_foretold(study, name) for name in study.looked_at]
    return []


def _foretold(study: CohortStudy, name: str) -> Drawing:
    mine = study.of(study.answers, name)
    ax = plot_foretold(mine[mine["repeat"] == mine["repeat"].min()], ax=_axes(_SQUARE_IN))
    ax.set_title(_named(name))
    return Drawing(
        as_svg(ax.figure),
        alt=f"Each patient's number against the one that {name} foretold; R² {study.row(name)['index']:.3f}.",
        caption=f"{name}: a dot is a patient that the model was not fitted on; on the diagonal it came true.",
    )


def draw_calibration(study: CohortStudy) -> list[Drawing]:
    """Draw what came against what was foretold, in quintiles; nothing of numbers, whose scatter says it."""
    drawings = []
    for name in study.looked_at:
        groups = study.of(study.calibration, name)
        if groups.empty or study.kind == "continuous":
            continue
        ax = plot_outcome_calibration(groups, ax=_axes(_SQUARE_IN))
        ax.set_title(_named(name))
        drawings.append(
            Drawing(
                as_svg(ax.figure),
                alt=f"Calibration of {name}: what came against what was foretold, in fifths of the patients.",
                caption=f"{name}: a dot is a fifth of the patients, its line the 95 % limits of what came. On the "
                "diagonal what was foretold came true.",
            )
        )
    return drawings


def draw_products(
    method: str, mean: pd.DataFrame, same: pd.DataFrame, pairs: Sequence[PairOf], *, more: str
) -> list[Drawing]:
    """Draw what kinds of tissue and pathways add together."""
    shown = strongest(mean)
    first = pairs[:_MOST_CURVES]
    said = "; ".join(f"{pair.kind} with {pair.pathway} {signed(pair.coefficient.mean)}" for pair in first)
    n_left = mean.shape[1] - shown.shape[1]
    left = f" {n_left} pathways with smaller ones are not shown." if n_left else ""
    return [
        Drawing(
            as_svg(plot_products(shown, same=same).figure),
            alt=f"Coefficients of products of kinds of tissue and pathways by {method}; the largest: {said}.",
            caption=f"Orange: {more} where both are high; purple: less; a dot: of one sign in all folds.{left}",
        )
    ]


def _axes(size_in: tuple[float, float]) -> Axes:
    with style():
        return plt.subplots(figsize=size_in)[1]


def _named(name: object) -> str:
    return short(name, _LETTERS)
