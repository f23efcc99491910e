"""Drawings that stand in the page whether or not its scripts run."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mclstexp.core import keys
from mclstexp.evaluation.score_table import CEILING_METRIC
from mclstexp.plotting.maps import FADED, plot_slide, robust_limits
from mclstexp.plotting.ranking import plot_gene_ranking
from mclstexp.plotting.scores import plot_score_against_ceiling, plot_summary
from mclstexp.plotting.spots import draw_spots, view_of
from mclstexp.plotting.style import PAGE_IN, style
from mclstexp.report.page_errors import Errors
from mclstexp.report.page_payload import ERRORS
from mclstexp.report.page_study import Study
from mclstexp.report.page_text import percent

_MOST: Final = 6  # sections on the map of errors
_ACROSS: Final = 3
_RANKING_IN: Final = 5.0  # its legend has room beside long names
_LETTERS: Final = 20
_WEBP: Final = {"quality": 85, "method": 6}


@dataclass(frozen=True)
class Drawing:
    """A drawing as the page shows it."""

    uri: str
    """A data URI."""
    alt: str
    """What it shows, for who cannot see it."""
    caption: str
    """What to look at."""


def draw_methods(study: Study) -> list[Drawing]:
    """Draw the scores of all methods, and the page's method gene by gene against the ceiling."""
    summary, scores, method = study.summary.rename(index=short), _shortened(study.scores), short(study.method)
    judged = summary[(summary["kind"] != "reference") & summary["pcc"].notna()]
    said = ", ".join(f"{name} {row['pcc']:.3f}" for name, row in judged.iterrows())
    drawings = [
        Drawing(
            as_svg(plot_summary(summary).figure),
            alt=f"Dot plot of each method's mean PCC, best first: {said}.",
            caption="Mean PCC of each method; a line is its 95 % interval, controls are grey, references upright.",
        )
    ]
    if method in judged.index and (scores["metric"] == CEILING_METRIC).any():
        share = float(judged["ceiling_share"][method])
        drawings.append(
            Drawing(
                as_svg(plot_score_against_ceiling(scores, method).figure),
                alt=f"Each gene's PCC by {study.method} against its noise ceiling; {percent(share)} of it is reached.",
                caption="Each dot is a gene. On the diagonal nothing is left to gain; far below it, the prediction "
                "misses what was well measured; at the left, nobody could tell.",
            )
        )
    return drawings


def draw_ranking(study: Study) -> Drawing:
    """Draw the genes that are predicted best."""
    ranked = study.ranking[study.ranking["pcc"].notna()].head(20).rename(index=short)
    said = ", ".join(f"{gene} {row['pcc']:.2f}" for gene, row in ranked.iterrows())
    with style():
        _, ax = plt.subplots(figsize=(_RANKING_IN, 0.9 + 0.16 * len(ranked)))
    return Drawing(
        as_svg(plot_gene_ranking(ranked, ax=ax).figure),
        alt=f"The best genes with their mean PCC: {said}.",
        caption="The 20 best genes: mean PCC (large dot, in the colour of the verdict), each section (small), and the "
        "noise ceiling (upright).",
    )


def draw_errors(study: Study, errors: Errors) -> Drawing:
    """Draw where on the tissue errors are large, on the sections of lowest PCC where there are many."""
    shown = list(errors.sections["section"])[:_MOST]
    pairs = [pair for pair in study.pairs if pair.id in shown]
    limits = robust_limits(np.concatenate([errors.by_spot[pair.id] for pair in pairs]))
    views = [view_of(pair.section.tiles) for pair in pairs]
    across = min(_ACROSS, len(pairs))
    down = -(-len(pairs) // across)
    ratio = max((bottom - top) / (right - left) for left, right, top, bottom in views)
    width = PAGE_IN * across / _ACROSS
    with style():
        size_in = (width, down * (0.9 * width / across * ratio + 0.2))
        figure, axes = plt.subplots(down, across, figsize=size_in, squeeze=False, layout="compressed")
        for ax in axes.ravel():
            ax.set_axis_off()
        for ax, pair, view in zip(axes.ravel(), pairs, views, strict=False):
            tiles, spot_um = pair.section.tiles, pair.section.counts.uns.get(keys.SPOT_DIAMETER_UM)
            plot_slide(tiles.slide, ax=ax, fade=FADED, view=view)
            drawn = draw_spots(ax, tiles, errors.by_spot[pair.id], limits=limits, cmap=ERRORS, spot_um=spot_um)
            ax.set_title(short(pair.id))
        bar = figure.colorbar(
            drawn, ax=list(axes.ravel()), label="relative error", shrink=0.6, aspect=25, extend="both"
        )
        bar.outline.set_visible(False)
    rest = len(study.pairs) - len(pairs)
    return Drawing(
        _picture(figure),
        alt=f"Relative error of each spot on {', '.join(pair.id for pair in pairs)}.",
        caption="Error of each spot over all genes that can be judged; 1 is the average spot"
        + (f". The {len(pairs)} sections of lowest PCC are shown, {rest} are not." if rest else "."),
    )


def short(name: object, letters: int = _LETTERS) -> str:
    """Cut a name that would leave a drawing no room."""
    text = str(name)
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _shortened(scores: pd.DataFrame) -> pd.DataFrame:
    """Cut long names of methods and genes; as it is where there is none, which is nearly always."""
    for column in ("method", "gene"):
        long = [name for name in scores[column].unique() if len(str(name)) > _LETTERS]
        if long:
            scores = scores.assign(
                **{column: scores[column].astype(object).replace({name: short(name) for name in long})}
            )
    return scores


def as_svg(figure: Any) -> str:
    """Return a figure as a data URI, its letters kept, and close it."""
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "mclstexp", "svg.fonttype": "none"}):  # the same page twice, byte for byte
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _uri(figure, buffer, "image/svg+xml")


def _picture(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="webp", dpi=170, bbox_inches="tight", pil_kwargs=_WEBP)
    return _uri(figure, buffer, "image/webp")


def _uri(figure: Any, buffer: io.BytesIO, kind: str) -> str:
    plt.close(figure)
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
