"""`report`: what an evaluation found, as one page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mclstexp.cli.application import app
from mclstexp.cli.terminal import say
from mclstexp.core.progress import step


@Parameter(name="*", group="Where things lie")
@dataclass(frozen=True)
class Lie:
    """Where what the page shows lies."""

    data: Path | None = None
    """Where the sections lie now, if they were moved since; of an answer, the measured section."""
    slides: str | None = None
    """Of a cohort, where its slides lie: a folder, a glob, or a table with their paths; tiles of them show what each
    prototype looks like."""


@Parameter(name="*", group="The page")
@dataclass(frozen=True)
class Page:
    """What the page shows."""

    method: str | None = None
    """Method that is looked at; mclstexp by default, of a cohort the bridge beside the clinic."""
    genes: str | None = None
    """How many of the best ranked genes, or a file of names, one a line; all by default."""
    max_mb: float = 30.0
    """Size that the page must not exceed, MB: the best ranked genes are kept, and the page says so."""
    domains: str | None = None
    """How regions are found, as kmeans, spatial_kmeans or stmmc (`mclstexp list`); leiden where it is installed by
    default."""


@app.command
def report(
    results: Path,
    /,
    *,
    out: Path,
    page: Page = Page(),
    lie: Lie = Lie(),
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Write one page that says which genes to trust, where the prediction fails, and how it was made.

    The page needs no network: it opens by double click and can be mailed. Of what impute, enhance or domains wrote
    (.h5ad) it shows the answer beside the measured section, which --data names; of a comparison on a cohort, what a
    model adds to the clinic.

    Parameters
    ----------
    results
        Folder that `mclstexp evaluate` or `cohort evaluate` wrote, or an answer (.h5ad) of impute, enhance or domains.
    out
        The page (.html).
    overwrite
        Replace a page that is already there.
    """
    step(f"Reading {results}")
    from mclstexp.api.answers import report_answer, report_domains, task_of
    from mclstexp.io.targets import require_free_file
    from mclstexp.report.build_page import write_report
    from mclstexp.report.cohort_page import write_cohort_page

    require_free_file(out, what="the page", overwrite=overwrite)
    method, genes, max_mb, domains = page.method, page.genes, page.max_mb, page.domains
    if results.suffix == ".h5ad":
        written = report_answer(results, out, data=_measured(lie.data), genes=_number(genes), max_mb=max_mb)
    elif (task := task_of(results) if (results / "experiment.json").is_file() else "") == "outcome":
        written = write_cohort_page(results, out, method=method, slides=lie.slides)
    elif task == "domains":
        written = report_domains(results, out, method=method, genes=_number(genes), max_mb=max_mb)
    else:
        written = write_report(results, out, method=method, genes=genes, max_mb=max_mb, data=lie.data, domains=domains)
    say(str(written))


def _measured(data: Path | None) -> Path:
    from mclstexp.core.errors import InputError

    if data is None:
        msg = "the measured section expected with an answer (.h5ad), found none: name it with --data"
        raise InputError(msg)
    return data


def _number(genes: str | None) -> int | None:
    from mclstexp.core.errors import InputError

    if genes is not None and not (genes.isdigit() and int(genes) > 0):
        msg = f"a number of genes of at least 1 expected with --genes of an answer, found {genes}: leave it out"
        raise InputError(msg)
    return None if genes is None else int(genes)
