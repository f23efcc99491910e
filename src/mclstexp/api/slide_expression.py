"""From predictions of slides to a table of expression, a row for each slide or patient."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from anndata import AnnData

from mclstexp.analysis.gene_sets import GeneSets
from mclstexp.cohort.bridge.groups import ByPrototype, Domains
from mclstexp.cohort.bridge.origin import Trusted
from mclstexp.cohort.bridge.summary import ExpressionSummary, pathways_beside, summarise_predictions, write_summary
from mclstexp.cohort.bridge.within import summarise_within
from mclstexp.cohort.config import CohortConfig
from mclstexp.cohort.gene_set_table import read_gene_sets
from mclstexp.cohort.table import Cohort
from mclstexp.cohort.table import read_cohort as read_from
from mclstexp.core.errors import InputError
from mclstexp.core.options import suggest
from mclstexp.io.targets import require_free_file


def summarise_expression(
    predictions: AnnData | Path | str | Iterable[AnnData | Path | str],
    *,
    by: Literal["slide", "patient", "domain"] | ByPrototype = "slide",
    cohort: Cohort | CohortConfig | None = None,
    gene_sets: GeneSets | Path | str | None = None,
    genes: Trusted = "predictable",
    out: Path | str | None = None,
    overwrite: bool = False,
) -> ExpressionSummary:
    """Average what was predicted for slides, over the genes that an evaluation of the model calls predictable.

    What comes of it is a reading of the same image: beside the slides it is no second source.

    Parameters
    ----------
    predictions
        Files (.h5ad) that ``predict`` wrote, folders of them, or what it returned; all by one model.
    by
        "slide", or "patient": the tiles of all slides of a patient taken together. Or within each slide, a row for
        each of both: "domain" of what was found on the prediction, `ByPrototype` of the kinds of tiles that a model of
        patients knows. Such a table is to be looked at; no cohort takes it.
    cohort
        Says which slides are whose; needed by patient. Slides of nobody in it are left out.
    gene_sets
        Genes of each pathway, by name, or a file (.gmt, or .csv with a column for each): pathways are scored too.
    genes
        "predictable" takes genes that the model was told are (``--verdicts``), "doubtful" those too, "all" any.
    out
        File (.parquet) that a cohort's ``expression`` takes; scores of pathways go beside it into
        ``NAME.pathways.parquet``. Both say by which model, and from whom it learnt.
    overwrite
        Whether files that are already there are replaced.

    Returns
    -------
    Means of genes, scores of pathways, and how many genes carry each.

    Raises
    ------
    InputError
        As `cohort.bridge.summary.summarise_predictions`; or the place cannot be written to.
    """
    plain = "domain" if isinstance(by, ByPrototype) else by
    for name, value, known in (
        ("by", plain, ("slide", "patient", "domain")),
        ("genes", genes, ("predictable", "doubtful", "all")),
    ):
        if value not in known:
            msg = f"{name}: one of {', '.join(known)} expected, found {value!r}: {suggest(str(value), known)}"
            raise InputError(msg)
    if by == "patient" and cohort is None:
        msg = "a cohort that says whose slides they are expected for rows by patient, found none: name it"
        raise InputError(msg)
    target = None if out is None else Path(out)
    if target is not None:
        _require_place(target, pathways=gene_sets is not None, overwrite=overwrite)
    sets = read_gene_sets(gene_sets) if isinstance(gene_sets, Path | str) else gene_sets
    if isinstance(by, ByPrototype) or by == "domain":
        groups = by if isinstance(by, ByPrototype) else Domains()
        within = summarise_within(predictions, groups, trusted=genes, gene_sets=sets)
        if target is not None:
            write_summary(within, target)
        return within
    read = read_from(cohort) if isinstance(cohort, CohortConfig) else cohort
    slides = None if read is None else dict(read.slides)
    if slides is not None and by == "slide":
        slides = {slide: (slide,) for of in slides.values() for slide in of}
    summary = summarise_predictions(predictions, trusted=genes, gene_sets=sets, slides_of=slides, by=by)
    for note in summary.notes:
        warnings.warn(note, stacklevel=2)
    if target is not None:
        write_summary(summary, target)
    return summary


def _require_place(path: Path, *, pathways: bool, overwrite: bool) -> None:
    if path.suffix.lower() != ".parquet":
        msg = f"a file .parquet, which keeps who predicted it, expected, found {path}: write {path.stem}.parquet"
        raise InputError(msg)
    require_free_file(path, what="the table of expression", overwrite=overwrite)
    if pathways:
        require_free_file(pathways_beside(path), what="the scores of pathways", overwrite=overwrite)
