"""The whole way on made-up tissue: sections, methods, scores, a prediction and its maps, in about two minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import matplotlib.pyplot as plt
import pandas as pd
from anndata import AnnData
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.predictor import Predictor
from mclstexp.core.section import Section
from mclstexp.core.wording import print_width
from mclstexp.data.folds import Fold
from mclstexp.evaluation.controls import missing_controls
from mclstexp.evaluation.harness import evaluate
from mclstexp.evaluation.summary import summarise
from mclstexp.io.atomic import atomic_path
from mclstexp.io.synthetic import make_sections
from mclstexp.io.targets import require_writable
from mclstexp.methods import create
from mclstexp.plotting.maps import plot_slide, plot_truth_and_prediction
from mclstexp.plotting.style import PAGE_IN, style

ENCODER: Final = "efficientnet_lite0"
"""Its weights come with the package, so that the demo needs no network."""
FLAGSHIP: Final = "mclstexp"
GENES: Final = ("TUMOUR1", "IMMUNE1", "STROMA1", "GRADE1")
"""Whose maps are drawn."""
_COLUMNS: Final = {
    "pcc": "PCC",
    "pcc_heg50": "PCC, top 50 genes",
    "mse": "MSE",
    "mae": "MAE",
    "r2": "R²",
}


def run_demo(out: Path, *, seed: int = 0, quick: bool = False) -> None:
    """Learn from three synthetic patients, predict a fourth and judge it, from the first pixel to the last map.

    Writes ``section.png`` (the tissue), ``scores.csv`` (every method, gene and metric), ``prediction.h5ad`` and a
    picture per gene in ``maps/``, and prints the table of scores and what to do next.

    Parameters
    ----------
    out
        Folder for the results; made if absent.
    seed
        Of the tissue.
    quick
        Tiny sections and a short training: shows that everything works, not how well.

    Raises
    ------
    InputError
        If the folder cannot be written to.
    """
    require_writable(out)
    say = _Steps(Console(width=print_width()))
    say("Growing and staining the tissue of four patients")
    size = {"n_spots_side": 6, "n_genes": 24, "mpp": 2.0} if quick else {}
    *train, test = make_sections(4, seed=seed, **size)  # type: ignore[arg-type]  # numbers as the parameters want them
    fold = Fold(str(test.patient), train=tuple(train), test=(test,))
    _save(_overview(fold), out / "section.png")

    methods = _methods(quick=quick)
    say(f"Learning from {len(train)} patients, predicting {test.patient}: {'; '.join(methods)}")
    scores = evaluate([fold], methods)
    with atomic_path(out / "scores.csv") as path:
        scores.to_csv(path, index=False)

    say(f"Fitting {FLAGSHIP} once more, to keep its prediction")
    space = ExpressionSpace.fit(train)
    predicted = methods[FLAGSHIP].fit(train, space=space).predict(test.tiles)
    with atomic_path(out / "prediction.h5ad") as path:
        predicted.write_h5ad(path)
    say("Drawing maps")
    _draw_maps(test, predicted, space=space, folder=out / "maps")

    say.console.print(_table(scores, fold))
    _say_next(say.console, out)


class _Steps:
    """Says what is being done and how long it has taken so far."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._start = time.monotonic()

    def __call__(self, text: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self._start:5.0f} s[/dim]  {text} …", highlight=False)


def _methods(*, quick: bool) -> dict[str, Predictor]:
    # its eight symmetries would take most of the demo's time
    upright: dict[str, Any] = {"symmetric": False}
    quickly: dict[str, Any] = {**upright, "epochs": 10, "k": 10, "sharpness": 1.0, "n_models": 1, "n_components": 16}
    methods: dict[str, Predictor] = {FLAGSHIP: create(FLAGSHIP, encoder=ENCODER, **(quickly if quick else upright))}
    return {**missing_controls(methods), **methods}


def _overview(fold: Fold) -> Figure:
    sections = (*fold.train, *fold.test)
    with style():
        figure, axes = plt.subplots(2, 2, figsize=(PAGE_IN, 0.9 * PAGE_IN), layout="compressed")
        for ax, section in zip(axes.flat, sections, strict=True):
            plot_slide(section.tiles.slide, ax=ax)
            role = "held out" if section in fold.test else "training"
            ax.set_title(f"{section.id} · {len(section)} spots · {role}")
    return figure


def _draw_maps(section: Section, predicted: AnnData, *, space: ExpressionSpace, folder: Path) -> None:
    for gene in GENES:
        if gene in space.genes:
            axes = plot_truth_and_prediction(section, predicted, gene, space=space)
            _save(axes[0].get_figure(), folder / f"{gene}.png")


def _save(figure: Figure, target: Path) -> None:
    with atomic_path(target) as path:
        figure.savefig(path, dpi=200)
    plt.close(figure)


def _table(scores: pd.DataFrame, fold: Fold) -> Table:
    """Lay out one row per method, best first, and below what bounds them."""
    summary = summarise(scores)
    n_genes = scores["gene"].nunique() - ("" in set(scores["gene"]))
    table = Table(title=f"{fold.test[0].id}, a patient none of the methods has seen ({n_genes} genes)")
    table.add_column("method")
    for heading in _COLUMNS.values():
        table.add_column(heading, justify="right")
    for name, row in summary.iterrows():
        reference = row["kind"] == "reference"
        cells = ["" if pd.isna(row[column]) else f"{row[column]:.3f}" for column in _COLUMNS]
        cells = [str(row["failed"])] if row["failed"] else cells
        table.add_row(str(name), *cells, style="bold" if name == FLAGSHIP else "dim" if reference else "")
    table.caption = "The ceiling is what a perfect predictor would reach: the counts themselves are noisy."
    return table


def _say_next(console: Console, out: Path) -> None:
    lines = (
        f"[bold]Look at[/bold] {out / 'section.png'}, {out / 'maps'} and {out / 'scores.csv'};",
        f"the prediction is {out / 'prediction.h5ad'} (AnnData).",
        "",
        "[bold]Your own data[/bold]",
        "  mclstexp validate YOUR_DATA --out overlays",
        "  mclstexp fit mclstexp YOUR_DATA --out runs/mine",
        "  mclstexp predict runs/mine OTHER_SECTIONS --out prediction.h5ad",
    )
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
