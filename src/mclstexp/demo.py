"""The whole way on made-up tissue: sections, methods, scores, a prediction and its maps, in about two minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import matplotlib.pyplot as plt
import pandas as pd
import tifffile
from anndata import AnnData
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from mclstexp.api.experiments import run_experiment
from mclstexp.api.predictions import predict
from mclstexp.api.verdicts import read_verdicts, tell
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.core.wording import print_width
from mclstexp.data.folds import Fold
from mclstexp.evaluation.config import DataConfig, FoldsConfig, GeneSetConfig, SyntheticConfig
from mclstexp.evaluation.experiment import Experiment
from mclstexp.evaluation.results import read_results
from mclstexp.evaluation.summary import summarise
from mclstexp.io.atomic import atomic_path
from mclstexp.io.models import save_model
from mclstexp.io.targets import require_free, require_writable
from mclstexp.plotting.maps import plot_slide, plot_truth_and_prediction
from mclstexp.plotting.style import PAGE_IN, style
from mclstexp.report.build_page import write_report

ENCODER: Final = "efficientnet_lite0"
"""Its weights come with the package, so that the demo needs no network."""
FLAGSHIP: Final = "mclstexp"
GENES: Final = ("TUMOUR1", "IMMUNE1", "STROMA1", "GRADE1")
"""Whose maps are drawn."""
_MARK: Final = "section.png"  # the first thing written, by which a demo's folder is known
_DOMAINS: Final = "spatial_kmeans"  # needs no extra
_COLUMNS: Final = {
    "pcc": "PCC",
    "pcc_heg50": "PCC, top 50 genes",
    "mse": "MSE",
    "mae": "MAE",
    "r2": "R²",
}


def run_demo(out: Path, *, seed: int = 0, quick: bool = False, overwrite: bool = False) -> None:
    """Learn from three synthetic patients, predict a fourth and judge it, from the first pixel to the last map.

    Writes ``section.png`` (the tissue), ``results`` (every method, gene and metric, as `run_experiment` does),
    ``report.html``, ``model``, ``prediction.h5ad``, a picture per gene in ``maps/`` and ``slide.tif``, the fourth
    patient's slide, which the model can be asked about; prints the table of scores and what to do next.

    Parameters
    ----------
    out
        Folder for the results; made if absent.
    seed
        Of the tissue.
    quick
        Tiny sections and a short training: shows that everything works, not how well.
    overwrite
        Whether an earlier demo in `out` is replaced.

    Raises
    ------
    InputError
        If the folder cannot be written to, or holds something.
    """
    require_free(out, mark=_MARK, what="the demo", overwrite=overwrite)
    require_writable(out)
    say = _Steps(Console(width=print_width()))
    say("Growing and staining the tissue of four patients")
    experiment = _experiment(seed=seed, quick=quick)
    sections = experiment.data.read(experiment.tile)
    (fold,) = experiment.make_folds(sections)
    (test,) = fold.test
    _save(_overview(fold), out / _MARK)
    _write_slide(test, out / "slide.tif")

    say(f"Learning from {len(fold.train)} patients, predicting {fold.name}: {'; '.join(experiment.make_methods())}")
    run_experiment(experiment, out=out / "results", overwrite=overwrite, jobs=None, on_warning=_unsaid)
    say("Writing the report")
    write_report(out / "results", out / "report.html", domains=_DOMAINS)

    say(f"Fitting {FLAGSHIP} once more, to keep the model and its prediction")
    space = ExpressionSpace.fit(fold.train)
    model = experiment.make_method(FLAGSHIP).fit(fold.train, space=space)
    tell(model, read_verdicts(out / "results", model))
    save_model(model, out / "model", overwrite=overwrite)
    predicted = predict(model, test.tiles)
    with atomic_path(out / "prediction.h5ad") as path:
        predicted.write_h5ad(path)
    say("Drawing maps")
    _draw_maps(test, predicted, space=space, folder=out / "maps")

    say.console.print(_table(read_results(out / "results"), fold))
    _say_next(say.console, out)


def _unsaid(note: str) -> None:
    """Keep to oneself that made-up sections are small."""


class _Steps:
    """Says what is being done and how long it has taken so far."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._start = time.monotonic()

    def __call__(self, text: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self._start:5.0f} s[/dim]  {text} …", highlight=False)


def _experiment(*, seed: int, quick: bool) -> Experiment:
    size: dict[str, Any] = {"n_spots_side": 6, "n_genes": 24, "mpp": 2.0} if quick else {}
    quickly = {"epochs": 10, "k": 10, "sharpness": 1.0, "n_models": 1, "n_components": 16}
    return Experiment(
        title="Made-up tissue: one patient predicted from three",
        data=DataConfig(synthetic=SyntheticConfig(n_patients=4, seed=seed, **size)),
        folds=FoldsConfig(by="patient", only=("P4",)),
        gene_sets={"heg50": GeneSetConfig(heg=50)},
        encoder=ENCODER,
        # no finer than the pictures, or their slides would be refused
        tile=TileSpec(size_px=56, mpp=2.0) if quick else TileSpec(),
        methods={FLAGSHIP: quickly if quick else {}},
    )


def _write_slide(section: Section, target: Path) -> None:
    """Write the section's picture as a slide that says its scale."""
    slide = section.tiles.slide
    per_cm = 1e4 / slide.mpp
    with atomic_path(target) as path:
        tifffile.imwrite(
            path,
            slide.thumbnail(max(slide.size_px)),
            tile=(256, 256),
            photometric="rgb",
            compression="jpeg",
            resolution=(per_cm, per_cm),
            resolutionunit="CENTIMETER",
        )


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
        f"[bold]Look at[/bold] {out / 'report.html'} (which genes to trust), {out / 'section.png'} and {out / 'maps'}.",
        "",
        "[bold]Go on with the model[/bold]",
        f"  mclstexp predict {out / 'model'} {out / 'slide.tif'} --out {out / 'slide.h5ad'}",
        f"  mclstexp view {out / 'slide.tif'} {out / 'slide.h5ad'}",
        "",
        "[bold]Your own data[/bold]",
        "  mclstexp validate YOUR_DATA --out overlays",
        "  mclstexp fit mclstexp YOUR_DATA --out runs/mine --encoder efficientnet_lite0",
        "  mclstexp predict runs/mine OTHER_SECTIONS --out prediction.h5ad",
    )
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
