"""Predictions of slides made a row for each slide or patient: means of genes, and scores of pathways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Bool
from scipy.stats import norm

from mclstexp.cohort.bridge.origin import Origin, Trusted, write_table
from mclstexp.cohort.bridge.predicted import Predicted, predictions_in, read_sum, require_one_model
from mclstexp.cohort.gene_set_table import MIN_GENES
from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.gene_notes import RANGE
from mclstexp.core.progress import step

_VERDICTS: Final[Mapping[Trusted, tuple[str, ...]]] = {
    "predictable": ("predictable",),
    "doubtful": ("predictable", "doubtful"),
}
_SPREAD: Final = float(norm.ppf(RANGE[1]) - norm.ppf(RANGE[0]))
"""Standard deviations between the ends of what a gene's training range spans, were it normal."""


@dataclass(frozen=True, eq=False)
class ExpressionSummary:
    """What was predicted for slides or patients, a row for each."""

    genes: pd.DataFrame
    """(n_rows, n_genes) mean over the tiles, on the prediction's scale; the index names slides or patients."""
    n_tiles: pd.Series
    """How many tiles each row is a mean of."""
    slides: Mapping[str, tuple[str, ...]]
    """Whose slides each row is a mean of."""
    origin: Origin
    """Which model predicted it, from whom it learnt, which genes count."""
    pathways: pd.DataFrame | None = None
    """(n_rows, n_pathways) mean z of a pathway's genes; NaN where fewer than five count."""
    carried_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The genes that each pathway's score is made of, or would be."""
    notes: tuple[str, ...] = ()
    """What was left out."""

    def carried(self) -> pd.DataFrame:
        """Return how many genes carry each pathway's score, and which."""
        index = pd.Index(list(self.carried_by), dtype=object, name="pathway")
        listed = {"n_genes": [len(of) for of in self.carried_by.values()]}
        return pd.DataFrame({**listed, "genes": [" ".join(of) for of in self.carried_by.values()]}, index=index)


def summarise_predictions(
    predictions: AnnData | Path | str | Iterable[AnnData | Path | str],
    *,
    trusted: Trusted = "predictable",
    gene_sets: Mapping[str, Sequence[str]] | None = None,
    slides_of: Mapping[str, Sequence[str]] | None = None,
    by: str = "slide",
) -> ExpressionSummary:
    """Average predictions over their tiles; expression is never held for more than some tiles.

    A pathway's score is the mean of its genes' z: how far a gene's mean lies from the middle of what the model's
    training spots had, in their standard deviations (by the range that holds 98 % of them). So a slide's score depends
    on no other slide, and slides of two cohorts are on one scale.

    Parameters
    ----------
    predictions
        Files (.h5ad), folders of them, or what predict returned; all by one model.
    trusted
        Which genes count, by the verdicts that the model was told.
    gene_sets
        Genes by name of the pathway.
    slides_of
        Names of the slides of each row, whose tiles are taken together; by default each slide is a row.
    by
        What a row is called.

    Raises
    ------
    InputError
        If a prediction cannot be read, a slide occurs twice, models or scales differ, there are no verdicts or no gene
        that counts, training ranges are missing where pathways are asked for, or no patient has a slide.
    """
    listed = predictions_in(predictions)
    sums: dict[str, tuple[np.ndarray, int]] = {}
    for number, one in enumerate(listed, 1):
        step(f"Reading prediction {number} of {len(listed)}")
        found = read_sum(one)
        if not sums:
            first, kept = found, counting(found, trusted)
        require_one_model(first, found)
        if found.slide in sums:
            msg = f"one prediction of each slide expected, found another of {found.slide!r} in {found.where}: drop one"
            raise InputError(msg)
        sums[found.slide] = (found.total[kept], found.n_tiles)  # not all of each: there may be thousands
    rows, notes = _gathered(list(sums), slides_of)
    n_tiles = {name: sum(sums[slide][1] for slide in of) for name, of in rows.items()}
    means = [sum(sums[slide][0] for slide in of) / n_tiles[name] for name, of in rows.items()]
    index = pd.Index(list(rows), dtype=object, name=by)
    genes = pd.DataFrame(np.stack(means), index=index, columns=first.var.index[kept].astype(object))
    scores: pd.DataFrame | None = None
    carried_by: dict[str, tuple[str, ...]] = {}
    if gene_sets is not None:
        scores, carried_by = scored(genes, first.var[kept], gene_sets, where=first.where)
    return ExpressionSummary(
        genes=genes,
        n_tiles=pd.Series(list(n_tiles.values()), index=index, name="n_tiles"),
        slides=rows,
        origin=origin_of_first(first, trusted, n_genes=int(kept.sum())),
        pathways=scores,
        carried_by=carried_by,
        notes=tuple(notes),
    )


def write_summary(summary: ExpressionSummary, path: Path) -> list[Path]:
    """Write the genes' means as a cohort's ``expression`` takes them, and beside them the pathways' scores.

    Parameters
    ----------
    summary
        The rows.
    path
        File (.parquet) of the genes; pathways go into ``NAME.pathways.parquet``, as a cohort's ``pathways`` takes them.

    Returns
    -------
    The files.
    """
    about = {
        "n_tiles": {_name(name): round(float(n), 3) for name, n in summary.n_tiles.items()},
        "slides": {name: list(of) for name, of in summary.slides.items()},
    }
    write_table(summary.genes.reset_index(), path, origin=summary.origin, about=about)
    if summary.pathways is None:
        return [path]
    carried = {"carried_by": {name: list(of) for name, of in summary.carried_by.items()}}
    beside = pathways_beside(path)
    write_table(summary.pathways.reset_index(), beside, origin=summary.origin, about={**about, **carried})
    return [path, beside]


def _name(row: object) -> str:
    return ", ".join(map(str, row)) if isinstance(row, tuple) else str(row)


def pathways_beside(path: Path) -> Path:
    """Return where the scores of pathways go that belong to a table of genes."""
    return path.with_suffix(".pathways.parquet")


def counting(first: Predicted, trusted: Trusted) -> Bool[np.ndarray, " n_genes"]:
    """Return which genes count.

    Raises
    ------
    InputError
        If the model was told no verdicts, or no gene counts.
    """
    if trusted == "all":
        return np.ones(len(first.var), bool)
    if keys.VERDICT not in first.var:
        msg = (
            f"verdicts on the genes expected in {first.where}, found none: predict with the results of an evaluation "
            f"of the model ({word('verdicts', 'RESULTS')}), or take every gene ({word('genes', 'all')})"
        )
        raise InputError(msg)
    said = first.var[keys.VERDICT].astype(str)
    kept = said.isin(_VERDICTS[trusted]).to_numpy()
    if not kept.any():
        counted = ", ".join(f"{n} {verdict or 'untested'}" for verdict, n in said.value_counts().items())
        msg = (
            f"a gene called {' or '.join(_VERDICTS[trusted])} expected in {first.where}, found {counted}: nothing of "
            f"these predictions is to be relied on, unless you take every gene ({word('genes', 'all')})"
        )
        raise InputError(msg)
    return kept


def _gathered(
    slides: Sequence[str], slides_of: Mapping[str, Sequence[str]] | None
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the slides of each row, and what was left out."""
    if slides_of is None:
        return {name: (name,) for name in slides}, []
    known = set(slides)
    rows = {name: tuple(one for one in of if one in known) for name, of in slides_of.items()}
    rows = {name: of for name, of in rows.items() if of}
    if not rows:
        msg = f"predictions of the cohort's slides expected, found other names, as {slides[0]!r}: name them alike"
        raise InputError(msg)
    notes = []
    if n_lacking := len(slides_of) - len(rows):
        notes.append(f"{n_lacking} of {len(slides_of)} patients have no prediction")
    if n_other := len(known) - sum(map(len, rows.values())):
        notes.append(f"{n_other} of {len(known)} predictions are of slides that are not the cohort's: left out")
    return rows, notes


def scored(
    genes: pd.DataFrame, var: pd.DataFrame, gene_sets: Mapping[str, Sequence[str]], *, where: str
) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    """Return scores of pathways, and the genes that each is made of.

    Raises
    ------
    InputError
        If training ranges are missing, or no pathway has genes enough.
    """
    if not {keys.TRAINING_LOW, keys.TRAINING_HIGH} <= set(var.columns):
        msg = f"ranges of the training spots, which pathways are scored by, expected in {where}, found none: fit anew"
        raise InputError(msg)
    low, high = (var[name].to_numpy(np.float64) for name in (keys.TRAINING_LOW, keys.TRAINING_HIGH))
    with np.errstate(invalid="ignore", divide="ignore"):  # a gene that did not vary has no z
        z = (genes - (low + high) / 2) / ((high - low) / _SPREAD)
    varied = z.columns[np.isfinite(z).all()]
    carried = {str(name): tuple(gene for gene in dict.fromkeys(of) if gene in varied) for name, of in gene_sets.items()}
    if not any(len(of) >= MIN_GENES for of in carried.values()):
        most = max(map(len, carried.values()), default=0)
        msg = (
            f"a pathway with {MIN_GENES} genes that count expected, found {most} at most of {len(varied)} in {where}: "
            "check that both name genes alike"
        )
        raise InputError(msg)
    none = pd.Series(np.nan, index=genes.index)
    scores = {name: z[list(of)].mean(axis=1) if len(of) >= MIN_GENES else none for name, of in carried.items()}
    return pd.DataFrame(scores, index=genes.index), carried


def origin_of_first(first: Predicted, trusted: Trusted, *, n_genes: int) -> Origin:
    """Return what a table is made with, of the first of its predictions."""
    return Origin(
        model=first.model,
        method=first.made_by["method"],
        scale=first.scale,
        patients=first.patients,
        sections=first.sections,
        trusted=trusted,
        n_genes=n_genes,
        n_predicted=len(first.var),
    )
