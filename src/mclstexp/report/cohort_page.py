"""One page of a comparison on a cohort: what was added to the clinic, whom it parts, and what may not be claimed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from mclstexp.cohort.summary_text import summary_rows
from mclstexp.core.errors import InputError
from mclstexp.core.progress import step
from mclstexp.io.atomic import atomic_path
from mclstexp.io.guard import guarded
from mclstexp.io.targets import require_writable
from mclstexp.report import cohort_figures, cohort_kinds, cohort_text
from mclstexp.report.cohort_study import CohortStudy, read_cohort_study
from mclstexp.report.cohort_tiles import tile_pictures
from mclstexp.report.page_methods import about, page_versions, settings, without_places
from mclstexp.report.page_payload import Payload
from mclstexp.report.render_page import render_page, today

OUTCOME: Final = "outcome"
"""The task of a comparison on a cohort."""
_APART: Final = {
    "survival": "By risk group",
    "binary": "Who is told apart",
    "continuous": "Foretold and what came",
}
_INDEX: Final = {
    "survival": "IBS index: 1 less the integrated Brier score over that of the training patients' Kaplan-Meier curve.",
    "binary": "Brier index: 1 less the Brier score over that of the training patients' share.",
    "continuous": "R²: how much of the variance is explained; below 0 the training mean would be better.",
}


@guarded("results of an evaluation on a cohort")
def write_cohort_page(
    results: Path | str, out: Path | str, *, method: str | None = None, slides: str | None = None
) -> Path:
    """Write the page: it opens by double click, needs no network and can be mailed.

    Parameters
    ----------
    results
        A folder that ``mclstexp cohort evaluate`` wrote.
    out
        The page (.html); it appears whole or not at all, and replaces what was there.
    method
        Label of the model that is looked at; see `default_model`.
    slides
        Where the slides lie (a folder, a glob or a table), of which tiles are shown for each prototype.

    Raises
    ------
    InputError
        If there are no such results, the model is not among them, or the place cannot be written to.
    """
    out = Path(out)
    if out.is_dir():
        msg = f"a file name for the page expected, found the folder {out}: give {out / 'report.html'}"
        raise InputError(msg)
    require_writable(out.parent)
    step(f"1 of 2: reading {results}")
    study = read_cohort_study(results, method)
    step("2 of 2: drawing")
    page = make_cohort_page(study, slides=slides, made=today())
    with atomic_path(out) as path:
        path.write_text(page, encoding="utf-8")
    return out


def make_cohort_page(study: CohortStudy, *, slides: str | None = None, made: str = "") -> str:
    """Make the page; `slides` is as in `write_cohort_page`, `made` the day it says."""
    heading, cells = summary_rows(study.summary, study.record)
    kinds = study.summary["kind"].astype(str)
    parts = {
        "title": f"Outcome {study.outcome}, cohort {cohort_text.named(study)}",
        "made": made,
        "study": study,
        "tested": cohort_text.tested(study),
        "bar": cohort_text.bar_of(study),
        "headline": cohort_text.headline(study),
        "answers": _answers(study),
        "claims": cohort_text.no_claims(study),
        "beware": cohort_text.beware(study),
        "compared": cohort_text.compared(study),
        "apart_title": _APART[study.kind],
        "apart": cohort_text.on_groups(study) if study.kind == "survival" else cohort_text.on_ranking(study),
        "apart_drawn": [*cohort_figures.draw_groups(study), *cohort_figures.draw_ranking(study)],
        "heading": heading,
        "rows": [
            {"cells": row, "kind": kind, "shown": row[0] == study.method}
            for row, kind in zip(cells, kinds, strict=True)
        ],
        "differences_drawn": cohort_figures.draw_differences(study),
        "index_note": _INDEX[study.kind],
        "calibration": cohort_text.on_calibration(study),
        "calibration_drawn": cohort_figures.draw_calibration(study),
        "kinds": _kinds(study, slides),
        "products": _products(study),
        "how": _how(study),
    }
    return render_page(Payload({}, {}), parts, template="cohort.html.j2")


def _answers(study: CohortStudy) -> list[tuple[str, list[str]]]:
    return [
        ("Who was tested?", cohort_text.who(study)),
        ("What does it look at?", cohort_text.sees(study)),
        (
            "May it be used for a patient?",
            ["No. It is for research only, and nothing here was made or approved to decide on a treatment."],
        ),
    ]


def _kinds(study: CohortStudy, slides: str | None) -> dict[str, Any] | None:
    method = study.one_with(study.prototypes)
    if method is None:
        return None
    kinds = cohort_kinds.kinds_of(study, method)
    return {
        "kinds": kinds,
        "said": cohort_kinds.on_kinds(study, method, kinds),
        "more": cohort_kinds.MORE[study.kind],
        "pictures": tile_pictures(study.of(study.tiles, method), slides),
    }


def _products(study: CohortStudy) -> dict[str, Any] | None:
    method = study.one_with(study.products)
    if method is None:
        return None
    mean, same = cohort_kinds.product_map(study, method)
    pairs, more = cohort_kinds.first_pairs(study, method), cohort_kinds.MORE[study.kind]
    return {
        "said": cohort_kinds.on_products(method, mean, same, pairs, more=more),
        "drawn": cohort_figures.draw_products(method, mean, same, pairs, more=more),
        "pairs": pairs,
        "n_pairs": mean.size,
    }


def _how(study: CohortStudy) -> dict[str, Any]:
    record = study.record
    made = record.get("code", {}).get("mclstexp", "")
    return {
        "about": about(str(record["methods"][study.method]["method"]), question="outcome"),
        "settings": settings(record["methods"][study.method]),
        "others": {name: settings(options) for name, options in record["methods"].items() if name != study.method},
        "facts": cohort_text.facts(study),
        "hashes": {f"SHA-256 of {name}": said for name, said in study.hashes.items()},
        "versions": record.get("code", {}),
        "page_versions": page_versions(),
        "experiment": json.dumps(without_places(record["experiment"]), indent=1, ensure_ascii=False),
        "cite": [
            f"The mclstexp developers. mclstexp {made}: spatial gene expression from H&E images.",
            "The source of your patients and slides, as its authors ask.",
        ],
    }
