"""What a reader must know before believing the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mclstexp.core.errors import InputError
from mclstexp.core.wording import without_places
from mclstexp.evaluation.calibration import LEVEL
from mclstexp.evaluation.exam import ORACLE
from mclstexp.evaluation.explained import say_explained
from mclstexp.evaluation.notes import grouped, name_all
from mclstexp.evaluation.resampling import cannot_tell
from mclstexp.evaluation.summary import headline
from mclstexp.io.checks import check_section
from mclstexp.report.page_domains import DomainsOfAll
from mclstexp.report.page_errors import Errors
from mclstexp.report.page_headline import best_control, not_told_apart
from mclstexp.report.page_study import Study
from mclstexp.report.page_text import percent

_OFF: Final = 0.05  # coverage further from what is promised is worth a word


def find_warnings(study: Study, errors: Errors, domains: DomainsOfAll) -> list[str]:
    """Return sentences, those about the whole evaluation first."""
    torn = _both_sides(study.record)
    # what the folds say in particular stands for what the headline says in general, this method for the best one
    other = say_explained(study.summary)
    general = [
        said
        for said in headline(study.summary)[2:]
        if said not in other and not (torn and said.startswith("Held out by section:"))
    ]
    said = [
        *general,
        *torn,
        *_no_better(study),
        *_depth(study),
        *say_explained(study.summary, study.method)[1:],
        *_alike(study),
        *_missing(study),
        *_of_sections(study),
        *_unjudged(study),
        *_coverage(study, errors),
        *([f"No domains are shown: {domains.reason}."] if domains.reason else []),
    ]
    return [without_places(sentence) for sentence in said]


def _both_sides(record: Mapping[str, Any]) -> list[str]:
    patients, folds = record.get("patients", {}), record.get("folds", {})
    torn = {}
    for name, fold in folds.items():
        learnt, tested = ({patients.get(s) for s in fold[side]} - {None, ""} for side in ("train", "test"))
        both = learnt & tested
        if both:
            torn[name] = both
    if not torn:
        return []
    who = sorted(map(str, set().union(*torn.values())))
    return [
        f"In {len(torn)} of {len(folds)} folds the tested patient's other sections were learnt from "
        f"(patient {name_all(who)}): scores are higher than a new patient's would be."
    ]


def _no_better(study: Study) -> list[str]:
    found = best_control(study)
    if found is None:
        return []
    if found["difference"] <= 0:
        return [f"{study.method} scores no better than the control {found['baseline']}: it learnt nothing of worth."]
    if found["told_apart"]:
        return []
    few = cannot_tell(int(found["n_units"]), study.summary.attrs["units"])
    if few:
        why = few.removesuffix(".")
    elif found["low"] <= 0:
        why = "the 95 % interval of their difference holds 0"
    else:
        why = f"p is {found['p']:.2g}"
    return [f"{study.method} cannot be told from the control {found['baseline']}: {why}."]


def _depth(study: Study) -> list[str]:
    pcc = study.summary["pcc"].to_dict()
    if ORACLE not in pcc or not pcc[study.method] <= pcc[ORACLE]:
        return []
    return [
        f"Nothing but each tested spot's total count would score a PCC of {pcc[ORACLE]:.3f}, where "
        f"{study.method} has {pcc[study.method]:.3f}: part of what is predicted may be how many cells "
        "lie under a spot."
    ]


def _alike(study: Study) -> list[str]:
    best, near = not_told_apart(study)
    if not near:
        return []
    return [
        f"The order of methods is within chance at the top: {name_all(near)} cannot be told from {best}, so do not "
        "choose between them by this table."
    ]


def _missing(study: Study) -> list[str]:
    there = {pair.id for pair in study.pairs}
    tested = {section for fold in study.record.get("folds", {}).values() for section in fold["test"]}
    lost = sorted(tested - there)
    return [f"{study.method} has no prediction of {name_all(lost)}: they are left out of this page."] if lost else []


def _of_sections(study: Study) -> list[str]:
    """Say what was noted of sections, or else `check_section` finds, once for all of which it is the same."""
    if "notes" in study.record:
        return [_sentence(said) for said in grouped(study.record["notes"], list(study.record["sections"]))]
    said: dict[str, list[str]] = {}
    for pair in study.pairs:
        try:
            found = check_section(pair.section)
        except InputError as error:  # the page is not the place to refuse what was evaluated
            found = [str(error)]
        for sentence in found:
            said.setdefault(sentence.removeprefix(f"{pair.id}: "), []).append(pair.id)
    return [_sentence(f"{name_all(sections)}: {sentence}") for sentence, sections in said.items()]


def _unjudged(study: Study) -> list[str]:
    table = study.ranking
    shallow = int((table["why"].astype(str).str.contains("too little")).sum())
    constant = int(table["pcc"].isna().sum())
    said = []
    if shallow:
        said.append(
            f"{shallow} of {len(table)} genes were measured too shallowly to judge: their counts are mostly noise, "
            "whatever the prediction."
        )
    if constant:
        said.append(f"{constant} of {len(table)} genes were never or everywhere equally measured: they have no score.")
    return said


def _coverage(study: Study, errors: Errors) -> list[str]:
    if not study.widths:
        return ["Only 1 section was predicted: how wide an interval must be cannot be learnt from another."]
    said, coverage = [], errors.sections.set_index("section")["coverage"]
    for off, word in (
        (coverage[coverage < LEVEL - _OFF], "too narrow"),
        (coverage[coverage > LEVEL + _OFF], "wider than needed"),
    ):
        if len(off):
            held = " to ".join(dict.fromkeys(percent(end) for end in (off.min(), off.max())))
            said.append(
                f"Intervals meant to hold {percent(LEVEL)} of the measured values hold {held} on "
                f"{name_all(list(map(str, off.index)))}: they are {word} there."
            )
    return said


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
