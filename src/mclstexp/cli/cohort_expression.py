"""`cohort expression`: from predictions of slides to the table that a cohort takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from mclstexp.cli.cohort import cohort
from mclstexp.cli.terminal import print_table, say
from mclstexp.core.progress import step

if TYPE_CHECKING:
    from mclstexp.cohort.bridge.groups import ByPrototype

_MOST_SHOWN: Final = 60


@Parameter(name="*", group="The cohort")
@dataclass(frozen=True)
class Whose:
    """Whose slides they are."""

    table: Path | None = None
    """Table of patients, which says whose slides they are: a row is then a patient. By default a row is a slide."""
    patient: str = "patient"
    """Its column of the patients' names."""
    slide: str | None = None
    """Its column of the slides' names; slide where there is such a column."""


@Parameter(name="*", group="Within slides")
@dataclass(frozen=True)
class Within:
    """Parts of slides that are averaged one by one, to be looked at; no cohort takes such a table."""

    within: Literal["prototype", "domain"] | None = None
    """A row for each slide and kind of tile that a model of patients knows, or each domain found on the prediction."""
    model: Path | None = None
    """Folder of that model, for prototype."""
    features: Path | None = None
    """Folder that cohort features wrote of the same tiles, for prototype."""


@cohort.command
def expression(
    predictions: Annotated[list[Path], Parameter(allow_leading_hyphen=False)],
    /,
    *,
    out: Path,
    whose: Whose = Whose(),
    parts: Within = Within(),
    gene_sets: Path | None = None,
    genes: Literal["predictable", "doubtful", "all"] = "predictable",
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Average predictions of slides into a table of expression, a row for each slide or patient, for --expression.

    Parameters
    ----------
    predictions
        Files (.h5ad) that predict wrote, or folders of them; all by one model.
    out
        File to write (.parquet): means over the tiles; with --gene-sets, scores of pathways beside it in
        NAME.pathways.parquet, for --pathways.
    gene_sets
        Genes of each pathway: .gmt, or .csv with a column for each.
    genes
        Which genes count: those that an evaluation called predictable (predict --verdicts), the doubtful ones too, or
        all whatever was found of them, which is noted in the table.
    overwrite
        Replace files that are already there.
    """
    step("Reading predictions")
    from mclstexp.api.slide_expression import summarise_expression
    from mclstexp.cohort.config import CohortConfig

    patients = None
    if whose.table is not None:
        patients = CohortConfig(path=str(whose.table), patient=whose.patient, slide=whose.slide, covariates=())
    summary = summarise_expression(
        predictions,
        by=_by(parts) or ("slide" if patients is None else "patient"),
        cohort=patients,
        gene_sets=gene_sets,
        genes=genes,
        out=out,
        overwrite=overwrite,
    )
    if summary.pathways is not None:
        carried = summary.carried()["n_genes"]
        rows = [[str(name), str(n)] for name, n in carried.items()]
        print_table(rows[:_MOST_SHOWN], heading=["pathway", "genes that carry it"])
        if n_without := int(summary.pathways.isna().all().sum()):
            say(f"{n_without} of {len(carried)} pathways have fewer than five genes and no score")
    rows_are = "slides" if patients is None else "patients"
    rows_are = rows_are if parts.within is None else f"rows, of slides by {parts.within}"
    say(f"{len(summary.genes)} {rows_are}, {int(summary.n_tiles.sum())} tiles, {summary.origin}: {out}")


def _by(parts: Within) -> Literal["domain"] | ByPrototype | None:
    from mclstexp.cohort.bridge.groups import ByPrototype
    from mclstexp.core.errors import InputError

    given = (parts.model is not None, parts.features is not None)
    if parts.within == "prototype" and parts.model is not None and parts.features is not None:
        return ByPrototype(parts.model, parts.features)
    if parts.within == "prototype" or any(given):
        msg = f"--within prototype with --model and --features expected, found {sum(given)} of the two: give all three"
        raise InputError(msg)
    return parts.within
