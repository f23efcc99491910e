"""`report`: what an evaluation found, as one page."""

from __future__ import annotations

from pathlib import Path

from mclstexp.cli.application import app
from mclstexp.cli.terminal import say


@app.command
def report(
    results: Path,
    /,
    *,
    out: Path,
    method: str | None = None,
    genes: str | None = None,
    max_mb: float = 30.0,
    data: Path | None = None,
    domains: str | None = None,
) -> None:
    """Write one page that says which genes to trust, where the prediction fails, and how it was made.

    The page needs no network: it opens by double click and can be mailed.

    Parameters
    ----------
    results
        Folder that `mclstexp evaluate` wrote.
    out
        The page (.html).
    method
        Method that is looked at; mclstexp by default.
    genes
        How many of the best ranked genes, or a file of names, one a line; all by default.
    max_mb
        Size that the page must not exceed, MB: the best ranked genes are kept, and the page says so.
    data
        Where the sections lie now, if they were moved since.
    domains
        How regions are found, as kmeans, spatial_kmeans or stmmc (`mclstexp list`); leiden where it is installed by
        default.
    """
    from mclstexp.report.build_page import write_report

    page = write_report(results, out, method=method, genes=genes, max_mb=max_mb, data=data, domains=domains)
    say(str(page))
