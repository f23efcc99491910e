"""`report`: one page that says which genes to trust, where the prediction fails, and how it was made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mclstexp.analysis.pairs import read_record
from mclstexp.core.domain_finder import ROOM
from mclstexp.core.errors import InputError
from mclstexp.core.progress import step
from mclstexp.evaluation.calibration import LEVEL
from mclstexp.evaluation.results import RECORD
from mclstexp.evaluation.toml import read_genes
from mclstexp.io.atomic import atomic_path
from mclstexp.io.guard import guarded
from mclstexp.io.targets import require_writable
from mclstexp.plotting.maps import expression_unit
from mclstexp.report import page_figures, page_headline, page_text
from mclstexp.report.cohort_page import OUTCOME, write_cohort_page
from mclstexp.report.page_domains import DomainsOfAll, agreements, domains_of_all
from mclstexp.report.page_errors import Errors, measure_errors
from mclstexp.report.page_methods import describe_methods
from mclstexp.report.page_payload import Payload, make_payload
from mclstexp.report.page_study import Study, read_study
from mclstexp.report.page_warnings import find_warnings
from mclstexp.report.render_page import render_page, today

MAX_MB: Final = 30.0
"""Size of a page that can still be mailed."""
_MB: Final = 1e6
_REGIONS: Final = 6  # shown at once of those that nobody named
_AGAIN: Final = 8  # tries to meet a size


@guarded("results of an evaluation")
def write_report(
    results: Path | str,
    out: Path | str,
    *,
    method: str | None = None,
    genes: str | None = None,
    max_mb: float = MAX_MB,
    data: Path | str | None = None,
    domains: str | None = None,
) -> Path:
    """Write one page of one method's predictions: it opens by double click, needs no network and can be mailed.

    Parameters
    ----------
    results
        A folder that ``mclstexp evaluate`` wrote, with predictions; one on a cohort has the page of
        `report.cohort_page.write_cohort_page`.
    out
        The page (.html); it appears whole or not at all, and replaces what was there.
    method
        Label of the method; ``mclstexp`` or the first that is no control by default.
    genes
        How many of the best ranked genes, or a file of names, one a line; all by default.
    max_mb
        Size in MB (10⁶ bytes) that the page must not exceed; the best ranked genes are kept, and the page says so.
    data
        Where the sections lie, if they were moved since.
    domains
        How domains are found, a name of `domains.list_domain_finders`; by default by Leiden where its extra is
        installed, otherwise as published where there are labels.

    Returns
    -------
    The page's path.

    Raises
    ------
    InputError
        If there are no results or no predictions, the method or a gene is not among them, the data cannot be read or
        are not those that were evaluated, or nothing fits into the size.
    """
    out = Path(out)
    if out.is_dir():
        msg = f"a file name for the page expected, found the folder {out}: give {out / 'report.html'}"
        raise InputError(msg)
    require_writable(out.parent)
    if (Path(results) / RECORD).is_file() and read_record(results)["experiment"].get("task") == OUTCOME:
        return write_cohort_page(results, out, method=method)
    if domains is not None:
        ROOM.method_class(domains)  # an unknown one is said before anything is measured
    step(f"1 of 4: reading scores, predictions and sections of {results}")
    study = read_study(results, method, data=data)
    page = make_page(study, choose_genes(study, genes), max_mb=max_mb, way=domains, made=today())
    with atomic_path(out) as path:
        path.write_bytes(page)
    return out


def choose_genes(study: Study, genes: str | None) -> list[str]:
    """Return the genes that the page holds, in the order of the ranking.

    Raises
    ------
    InputError
        If `genes` is neither a number of at least 1 nor a file that names genes of the panel.
    """
    ranked = [str(gene) for gene in study.ranking.index]
    if genes is None:
        return ranked
    if genes.lstrip("+-").isdigit():
        if int(genes) < 1:
            msg = f"a number of genes of at least 1 expected, found {genes}: leave it out for all {len(ranked)}"
            raise InputError(msg)
        return ranked[: int(genes)]
    asked = read_genes(genes)
    unknown = [gene for gene in asked if gene not in ranked]
    if unknown:
        msg = (
            f"genes that {study.method} predicted expected in {genes}, found {len(unknown)} others "
            f"({', '.join(unknown[:3])}): take them out of the list"
        )
        raise InputError(msg)
    return [gene for gene in ranked if gene in set(asked)]


def make_page(
    study: Study, genes: Sequence[str], *, max_mb: float = MAX_MB, way: str | None = None, made: str = ""
) -> bytes:
    """Make the page with as many of the first genes as its size (MB) allows; `made` is the day it says.

    Raises
    ------
    InputError
        If it is too large with a single gene, or the `way` to find domains cannot be gone.
    """
    step("2 of 4: finding spatial domains")
    domains = domains_of_all(study.pairs, way)
    step("3 of 4: measuring errors and drawing figures")
    errors = measure_errors(study, domains)
    parts = {**_parts(study, errors, domains), "made": made}
    step(f"4 of 4: laying out {len(genes)} genes")
    kept, limit = list(genes), None
    for _ in range(_AGAIN):
        payload = make_payload(study, domains, genes=kept, errors=errors)
        lost = page_text.left_out(study, kept)
        page = render_page(payload, {**parts, "genes": kept, "lost": lost, "limit": limit}).encode("utf-8")
        if len(page) <= max_mb * _MB:
            return page
        limit, room = max_mb, max_mb * _MB - (len(page) - _of_genes(payload))
        n_genes = min(len(kept) - 1, int(0.98 * len(kept) * room / _of_genes(payload)))
        if n_genes < 1:
            break
        kept = kept[:n_genes]
    msg = (
        f"a size that one gene fits into expected, found max_mb = {max_mb:g} where the page alone takes "
        f"{(len(page) - _of_genes(payload)) / _MB:.1f} MB: allow more"
    )
    raise InputError(msg)


def _of_genes(payload: Payload) -> int:
    """Return the letters that grow with the number of genes."""
    return max(1, payload.n_bytes)


def _parts(study: Study, errors: Errors, domains: DomainsOfAll) -> dict[str, Any]:
    """Return what the template shows."""
    failure = page_text.on_failure(errors)
    return {
        "title": study.title,
        "study": study,
        "errors": errors,
        "tested_on": page_text.who_was_tested(study),
        "headline": page_headline.make_headline(study),
        "marks": page_headline.explain_marks(study),
        "scored_over": page_text.SCORED_OVER[study.task],
        "warnings": find_warnings(study, errors, domains),
        "answers": [
            ("Which genes may I trust?", page_text.on_genes(study)),
            ("Where does it fail?", failure),
            ("How sure is a value?", page_text.on_certainty(study, errors)),
            ("How was it made?", page_text.on_making(study)),
        ],
        "failure": failure,
        "reasons": page_text.reasons(study),
        "regions": errors.regions.to_dict("records"),
        "n_regions": len(errors.regions) if errors.kind == "label" else _REGIONS,
        "agreements": agreements(domains),
        "against": "labels" if errors.kind == "label" else "measured",
        "domains_said": page_text.domains_said(domains),
        "how": describe_methods(study),
        "level": f"{LEVEL:.0%}",
        "unit": expression_unit(study.pairs[0].space),
        "methods_drawn": page_figures.draw_methods(study),
        "ranking_drawn": page_figures.draw_ranking(study),
        "errors_drawn": page_figures.draw_errors(study, errors),
    }
