"""`cohort check | features | evaluate`: what a table of patients holds, and who tells best what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from mclstexp.cli.application import app
from mclstexp.cli.flags import Tile, tile_spec, without_none
from mclstexp.cli.terminal import print_table, say, warn
from mclstexp.core.progress import step

if TYPE_CHECKING:
    import pandas as pd

    from mclstexp.cohort.config import CohortConfig

cohort = App(name="cohort", help="What becomes of patients, from slides, expression and the clinic.")
app.command(cohort)


@Parameter(name="*", group="The cohort")
@dataclass(frozen=True)
class Patients:
    """The table's columns, and what lies beside it."""

    outcome: str | None = None
    """NAME:TIME,EVENT, columns of follow-up and of 1 (it came) or 0; or NAME:COLUMN of yes and no or of numbers."""
    unit: Literal["days", "months", "years"] | None = None
    """Unit of follow-up; days by default."""
    zero_time: Literal["refuse", "half_day"] | None = None
    """What becomes of follow-up of 0: refused (by default), or taken for half a day."""
    patient: str | None = None
    """Column of the patients' names; patient by default."""
    slide: str | None = None
    """Column of the slides' names; slide where there is such a column."""
    site: str | None = None
    """Column of where a patient was treated; site where there is such a column."""
    fold: str | None = None
    """Column of folds that are given, as a published split."""
    covariates: str | None = None
    """Columns of what the clinic knows, as age,sex,stage; by default those of age, sex, stage and grade that four in
    five have."""
    where: str | None = None
    """Rows to take, as cohort=BLCA."""
    features: Path | None = None
    """Folder with a file of tile features for each slide (SLIDE.h5, .npy or .safetensors)."""
    coarser: str | None = None
    """Folders with features of wider tiles of the same slides, the widest first, as features_5x,features_10x."""
    expression: Path | None = None
    """Table of expression, measured or predicted: a row for each patient, a column for each gene."""
    gene_sets: Path | None = None
    """Genes of each pathway: .gmt, or .csv with a column for each."""
    pathways: Path | None = None
    """Table of pathway scores: a row for each patient, a column for each pathway."""
    allow_overlap: Annotated[bool, Parameter(negative="")] = False
    """Take expression predicted by a model that learnt from patients of the table; its scores flatter."""


def cohort_config(table: Path, patients: Patients) -> CohortConfig:
    """Return what flags say of a cohort."""
    from mclstexp.api import cohort as api
    from mclstexp.core.options import split_pairs

    said: dict[str, Any] = {
        name: str(value) if isinstance(value, Path) else value for name, value in without_none(vars(patients)).items()
    }
    if patients.covariates is not None:
        said["covariates"] = [name.strip() for name in patients.covariates.split(",") if name.strip()]
    if patients.coarser is not None:
        said["coarser"] = [folder.strip() for folder in patients.coarser.split(",")]
    if patients.where is not None:
        said["where"] = split_pairs(patients.where.split(","), what="where")
    return api.cohort_config(table, **said)


@cohort.command
def check(table: Path, /, *, patients: Patients = Patients()) -> None:
    """Say what a table of patients holds and what is worth knowing before anything is learnt from it.

    Parameters
    ----------
    table
        The table (.csv, .tsv or .parquet): a row for each patient, or for each slide.
    """
    step(f"Reading {table}")
    from mclstexp.api.cohort import look_at_cohort

    numbers, notes = look_at_cohort(cohort_config(table, patients))
    print_table([[name, value] for name, value in numbers.items()], title=str(table))
    for note in notes:
        warn(note)
    if not notes:
        say("nothing to be wary of was found")


@Parameter(name="*", group="Many slides")
@dataclass(frozen=True)
class OnCluster:
    """Where slides are gone through."""

    cluster: Literal["ray"] | None = None
    """On a Ray cluster (pip install 'mclstexp[ray]') whose machines share the disk of --out, instead of here."""
    address: str | None = None
    """Address of the Ray cluster; by default the one that is found, or else a local one."""
    jobs: int | None = None
    """Slides at once on the cluster; by default as many as it has GPUs, or CPUs for."""


@cohort.command
def features(
    table: Path,
    /,
    *,
    slides: str,
    encoder: str,
    out: Path,
    tile: Tile = Tile(),  # noqa: B008  frozen
    on: OnCluster = OnCluster(),
    patients: Patients = Patients(),
) -> int:
    """Embed every tile of the slides of a table, a file for each; run it again to go on after an interruption.

    Parameters
    ----------
    table
        The table of patients, with a column of slides.
    slides
        Where the slides lie: a folder, a glob, a table with their paths, or s3://…; named as the table names them.
    encoder
        Frozen image encoder.
    out
        Folder for SLIDE.safetensors, as --features takes it.
    """
    step(f"Reading {table}")
    from mclstexp.api.cohort import embed_cohort

    def on_slide(name: str, what: str) -> None:
        say(f"{name}: {what}")

    failed = embed_cohort(
        cohort_config(table, patients),
        slides,
        encoder=encoder,
        out=out,
        spec=tile_spec(tile),
        on_slide=on_slide,
        spread=_spread(on),
    )
    say(f"{len(failed)} slides failed: {', '.join(failed)}" if failed else f"features: {out}")
    return 1 if failed else 0


@Parameter(name="*", group="Judging")
@dataclass(frozen=True)
class Judging:
    """What is compared, and on whom."""

    models: str | None = None
    """Models, as clinical,mmp,clinical+mmp; by default those for which there is something to look at. `mclstexp list`
    shows them."""
    folds: str | None = None
    """What is held out and in how many parts: site:5, patient:5 or given; by default as --fold says, or 5 parts by site
    where there are enough sites, else by patient."""
    repeats: int = 1
    """How many times patients are divided anew."""
    draws: int = 2000
    """Draws of the test patients for intervals."""
    draw: Literal["patient", "site"] = "patient"
    """What is drawn."""
    seed: int | None = None
    """Of folds and models; 0 by default."""


@cohort.command
def evaluate(
    table: Path,
    /,
    *,
    out: Path,
    judging: Judging = Judging(),
    patients: Patients = Patients(),
    jobs: int = 1,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Compare models on patients that none of them was shown; run it again to go on after an interruption.

    Parameters
    ----------
    table
        The table of patients.
    out
        Folder for summary.md, summary.csv, predictions.csv, folds.csv, calibration.csv, scores.parquet and
        experiment.json.
    jobs
        Models judged at once, each in a process of its own.
    overwrite
        Replace results that are already there.
    """
    step(f"Reading {table}")
    from mclstexp.api.cohort import evaluate_outcome
    from mclstexp.cli.terminal import task_progress
    from mclstexp.cohort.experiment import Division, Intervals

    with task_progress("judging") as on_event:
        summary = evaluate_outcome(
            cohort_config(table, patients),
            out=out,
            models=[] if judging.models is None else [name.strip() for name in judging.models.split(",")],
            folds=Division(**_division(judging.folds), repeats=judging.repeats),
            intervals=Intervals(draws=judging.draws, unit=judging.draw),
            overwrite=overwrite,
            seed=judging.seed,
            jobs=jobs,
            on_event=on_event,
            on_warning=warn,
        )
    print_outcome(summary, out, title=table.stem)


def print_outcome(summary: pd.DataFrame, out: Path, *, title: str) -> None:
    """Print the table of a comparison on a cohort, and what it says in sentences."""
    from mclstexp.analysis.pairs import read_record
    from mclstexp.cohort.summary_text import brief_rows, sentences

    record = read_record(out)
    heading, rows = brief_rows(summary, record)
    print_table(rows, heading=heading, title=title)
    for sentence in sentences(summary, record):
        say(sentence)
    say(f"results: {out}; all columns: {out / 'summary.md'}")


def _spread(on: OnCluster) -> Any:
    from mclstexp.core.errors import InputError

    if on.cluster is None:
        if said := [name for name in ("address", "jobs") if getattr(on, name) is not None]:
            msg = f"--cluster ray expected with --{said[0]}, found none: here slides are embedded one after the other"
            raise InputError(msg)
        return None
    if on.jobs is not None and on.jobs < 1:
        msg = f"--jobs of 1 or more expected, found {on.jobs}"
        raise InputError(msg)
    from mclstexp.whole_slide.ray_features import on_ray

    return on_ray(address=on.address, n_actors=on.jobs)


def _division(said: str | None) -> dict[str, Any]:
    from mclstexp.core.errors import InputError

    if said is None:
        return {}
    by, colon, number = said.partition(":")
    if by not in ("site", "patient", "given") or (colon and not number.isdecimal()):
        msg = f"--folds written site:5, patient:5 or given expected, found {said!r}"
        raise InputError(msg)
    return {"by": by, **({"n_folds": int(number)} if colon else {})}
