"""The page's answers in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from mclstexp.analysis.gene_ranking import VERDICTS
from mclstexp.evaluation.calibration import LEVEL
from mclstexp.evaluation.experiment import PREDICT
from mclstexp.report.page_certainty import meant_for
from mclstexp.report.page_domains import DomainsOfAll
from mclstexp.report.page_errors import Errors
from mclstexp.report.page_headline import against_controls
from mclstexp.report.page_study import Study

_BEST: Final = 8  # genes named first
_EXAMPLES: Final = 6  # genes named per reason
_CLEAR: Final = 0.3  # a rank correlation that is worth a word
_LEVEL: Final = 0.3  # mean difference that is worth a word: a factor of two on the usual scale
_NARROWED: Final = 0.9  # width against an uninformed interval's below which a single value is worth a look
_WORSE: Final = 1.1  # relative error from which a region is named
SCORED_OVER: Final = {
    PREDICT: "the spots of a held-out section",
    "impute": "the spots, the gene being hidden",
    "enhance": "the hidden spots",
}
_HIDDEN: Final = {PREDICT: "on held-out sections", "impute": "hidden from the method,", "enhance": "at hidden spots"}
_HOLDS: Final = {
    PREDICT: "The verdicts hold for tissue like the tested sections', stained and scanned alike.",
    "impute": "The verdicts hold for this tissue and this reference.",
    "enhance": "The verdicts hold for tissue like this and spots as far apart as the given ones.",
}


_ADDS: Final = "what it adds to the density of cells is reproduced"
_ALLOWS: Final = "half of what the noise of the counts allows"
_SPELT_OUT: Final = {
    "given depth, beyond chance and at least half of the ceiling": f"{_ADDS} beyond chance, and to at least {_ALLOWS}",
    "given depth, beyond chance, but below half of the ceiling": f"{_ADDS} beyond chance, but to less than {_ALLOWS}",
    "given depth, at least half of the ceiling, but an unrelated map as smooth might be": (
        f"{_ADDS} to at least {_ALLOWS}, but an unrelated map as smooth might do as well"
    ),
    "given depth, neither beyond chance nor half of the ceiling": f"{_ADDS} neither beyond chance nor to {_ALLOWS}",
}


def spelt_out(why: str) -> str:
    """Write the reason of a verdict for readers who have only the page."""
    return _SPELT_OUT.get(why, why)


def who_was_tested(study: Study) -> str:
    """Say whose sections were predicted."""
    whose: dict[str, list[str]] = {}
    for pair in study.pairs:
        whose.setdefault(pair.section.patient or "", []).append(pair.id)
    unknown = whose.pop("", [])
    of_patients = [patient if [patient] == ids else f"{patient} ({', '.join(ids)})" for patient, ids in whose.items()]
    said = [f"{'patient' if len(whose) == 1 else 'patients'} {_listed(of_patients)}"] if whose else []
    said += [f"{_listed(unknown)}, of whom it is not known which patients they are"] if unknown else []
    return f"Tested on {' and on '.join(said)}."


def on_genes(study: Study) -> list[str]:
    """Say which genes may be trusted."""
    table = study.ranking
    counts = table["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)
    good = [str(gene) for gene in table.index[table["verdict"] == VERDICTS[0]]]
    share = f"{len(good)} of {len(table)} genes" + (f" ({percent(len(good) / len(table))})" if len(table) else "")
    first = (
        f"{share} are predictable: {_HIDDEN[study.task]} what they add to the density of cells is reproduced beyond "
        "chance, and to at least half of what the noise of the counts lets anybody reach. "
        f"The best are {_listed(good[:_BEST])}."
        if good
        else f"None of {len(table)} genes is predictable: of none is what it adds to the density of cells reproduced "
        "both beyond chance and to at least half of what the noise of the counts lets anybody reach."
    )
    own = len({pair.genes for pair in study.pairs}) > 1
    panels = [f"The {len(table)} genes are those of any fold: each fold chose its own on its training sections."]
    return [
        first,
        *(panels if own else []),
        f"{counts[VERDICTS[1]]} are doubtful: look at the measured map beside the predicted one. "
        f"{counts[VERDICTS[2]]} are not predictable: do not read their maps.",
        _HOLDS[study.task],
    ]


def on_failure(errors: Errors) -> list[str]:
    """Say where the prediction fails."""
    sections, said = errors.sections, []
    if len(sections) > 1:
        worst, best = sections.iloc[0], sections.iloc[-1]
        said.append(
            f"Weakest section: {worst['section']} (mean PCC {worst['mean_pcc']:.2f}); best: {best['section']} "
            f"({best['mean_pcc']:.2f})."
        )
    else:
        said.append(f"The one section, {sections['section'].iloc[0]}, has a mean PCC of {sections['mean_pcc'][0]:.2f}.")
    bad = errors.regions[errors.regions["error"] >= _WORSE].head(3)
    what = {"label": "labelled", "domain": "predicted domain"}.get(errors.kind, "")
    if len(bad):
        places = [f"{_place(row, errors.kind)} ({row['error']:.2f} times the average)" for _, row in bad.iterrows()]
        said.append(f"Errors are largest where the tissue is {what} {_listed(places)}.")
    elif len(errors.regions):
        said.append(
            f"No region stands out: in none ({what}) is the error more than {percent(_WORSE - 1)} above average."
        )
    said += [_on_level(errors.everywhere), _on_depth(errors.with_depth)]
    return [sentence for sentence in said if sentence]


def on_certainty(study: Study, errors: Errors) -> list[str]:
    """Say how far a single value can be trusted."""
    coverage = errors.sections["coverage"].dropna()
    if coverage.empty:
        return ["No intervals: they are learnt from other sections, and only one was predicted."]
    said = [
        f"Intervals meant to hold {percent(LEVEL)} of the measured values hold {percent(coverage.mean())} of them"
        + (f" ({percent(coverage.min())} to {percent(coverage.max())} by section)." if len(coverage) > 1 else ".")
    ]
    said += meant_for(study)
    wide = errors.relative_width
    if np.isfinite(wide):
        against = "as intervals that know nothing of the tissue"
        advice = (
            "trust patterns over many spots, not the value of one" if wide > _NARROWED else "single values gain too"
        )
        said.append(f"On average they are {wide:.2f} times as wide {against}: {advice}.")
    return said


def on_making(study: Study) -> list[str]:
    """Say how the page came about, in short."""
    record = study.record
    said, folds = study.summary.attrs, record.get("folds", {})
    train = sorted({len(fold["train"]) for fold in folds.values()})
    learnt = f"{train[0]}" if len(train) == 1 else f"{train[0]} to {train[-1]}" if train else "some"
    version = record.get("code", {}).get("mclstexp", "")
    against = f"Protocol {said['protocol']}, mclstexp {version}. {against_controls(study)}".strip()
    if study.task != PREDICT:
        return [
            f"{study.method} was asked {len(folds)} times for what was hidden from everything (by {said['by']}), and "
            "kept nothing from one time to the next; each value shown here was hidden when it was said.",
            against,
        ]
    paper = said["protocol"] == "paper"
    seen = "panel and scale were" if paper else "nothing shown here was"
    return [
        f"{study.method} was fitted {len(folds)} times on {learnt} sections and asked for those left out "
        f"(by {said['by']}); {seen} {'taken from them' if paper else 'seen by the model that predicted it'}.",
        against,
    ]


def reasons(study: Study) -> list[dict[str, Any]]:
    """Return each verdict's reasons: "verdict", "why", "n" and the first genes."""
    table = study.ranking
    rows = []
    for verdict in VERDICTS:
        for why, genes in table[table["verdict"] == verdict].groupby("why", sort=False):
            first = [str(gene) for gene in genes.index[:_EXAMPLES]]
            rows.append({"verdict": verdict, "why": spelt_out(str(why)), "n": len(genes), "genes": first})
    return rows


def left_out(study: Study, genes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the ranked genes that the page does not hold, by verdict."""
    lost = study.ranking.drop(index=list(genes))
    groups = ((verdict, lost.index[lost["verdict"] == verdict]) for verdict in VERDICTS)
    return [{"verdict": verdict, "genes": list(map(str, found))} for verdict, found in groups if len(found)]


def signed_genes(bias: pd.Series) -> str:
    """Write genes with their mean difference."""
    return ", ".join(f"{gene} ({_signed(value)})" for gene, value in bias.items())


def domains_said(domains: DomainsOfAll) -> str:
    """Say how domains were found."""
    if not domains.way:
        return ""
    number = "as many groups as there are labels, or without labels the number that halves of a section agree on best"
    return {
        "leiden": "Domains: Leiden on expression and place, without labels, in each section on its own; a predicted "
        "domain bears the name of the measured one that it shares most spots with.",
        "paper": "Domains: k-means on nine principal components with as many groups as there are labels, as "
        "published; a predicted domain bears the name of the measured one that it shares most spots with.",
    }.get(
        domains.way,
        f"Domains: {domains.way} in each section on its own, {number}; a predicted domain bears the name of the "
        "measured one that it shares most spots with.",
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\u2212")


def percent(share: float) -> str:
    """Write a share as this package writes it."""
    return f"{100 * share:.0f}\u00a0%"


def _on_level(everywhere: pd.Series) -> str:
    """Say which genes are predicted at another level than they were measured, which a PCC does not see."""
    off = everywhere[everywhere.abs() >= _LEVEL].head(3)
    if off.empty:
        return ""
    return (
        f"Some genes are off everywhere, which a correlation does not see: {signed_genes(off)}, as mean of predicted "
        "minus measured."
    )


def _on_depth(rho: float) -> str:
    if not np.isfinite(rho):
        return ""
    if rho < -_CLEAR:
        return (
            f"Spots with few counts are off most (rank correlation of error and counts {_signed(rho)}): much of it is "
            "noise of the measurement, not of the prediction."
        )
    if rho > _CLEAR:
        return f"Spots with many counts are off most (rank correlation of error and counts {_signed(rho)})."
    return f"Errors hardly follow the number of counts in a spot (rank correlation {_signed(rho)})."


def _place(row: pd.Series, kind: str) -> str:
    if kind == "label":
        return f"“{row['region']}”"
    marks = f", marked by {_listed(row['marks'])}" if row["marks"] else ""
    return f"{row['region'].partition(' · ')[0]} of section {row['where']}{marks}"


def _listed(found: Sequence[str]) -> str:
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else "".join(found)
