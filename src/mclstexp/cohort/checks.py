"""What is worth knowing of a cohort before anything is learnt from it, in words."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pandas as pd

from mclstexp.cohort.bridge.origin import person
from mclstexp.cohort.survival.concordance import harrell
from mclstexp.cohort.survival.kaplan_meier import median_follow_up
from mclstexp.cohort.table import Cohort
from mclstexp.core.cohort import Outcomes
from mclstexp.core.doors import word

MIN_EVENTS: Final = 40
"""Events below which models can hardly be told apart."""
MIN_SITES, MOST_OF_SITE = 10, 0.2
"""Sites of which there must be so many, none with more than this share of the patients, to hold sites out."""
_SHORT_MONTHS, _LONG_MONTHS = 12.0, 600.0
"""Longest follow-up below or above which its unit is asked for."""
_FAR: Final = 25.0
"""Median distances from the median beyond which a value of a covariate is pointed at."""
_PER_PARAMETER: Final = 10
_TELLS: Final = 0.95
_LATER: Final = re.compile(
    r"tumou?r_?status|new_?tumou?r|(treatment|therapy|drug)_?(response|outcome)|response_?to|best_?response|progress"
    r"|recurr|relapse|vital|death|dead|alive|deceas|days_?to|last_?(contact|follow)|follow_?up|surviv|censor"
    r"|(^|_)(os|dss|pfi|dfi|pfs|dfs|rfs|ttp|efs)(_|$)|outcome|metasta[ts]\w*_?(event|time|later)|palliat",
    re.IGNORECASE,
)
"""Names of what is only known after the diagnosis."""


def check_cohort(cohort: Cohort) -> list[str]:
    """Say what is worth knowing of a cohort.

    Returns
    -------
    Sentences: what was left out on reading, few events, columns that give the answer away, no stage, missing values,
    sites that are few or large, names that may be one patient.
    """
    notes = list(cohort.notes)
    if cohort.outcomes is not None:
        notes += _follow_up(cohort.outcomes)
        notes += _events(cohort.outcomes, n_parameters=cohort.patients.covariates.shape[1])
        notes += _tell_tales(cohort.patients.covariates, cohort.outcomes)
    return [*notes, *_covariates(cohort.patients.covariates), *_sites(cohort.patients.sites), *_namesakes(cohort)]


def overview(cohort: Cohort) -> dict[str, str]:
    """Return a cohort in numbers: what is counted, and the count in words."""
    patients, said = cohort.patients, {"patients": str(len(cohort))}
    said["slides"] = str(sum(map(len, cohort.slides.values())))
    if patients.sites is not None:
        said["sites"] = str(len(set(patients.sites)))
    if (outcomes := cohort.outcomes) is not None and cohort.outcome is not None:
        said["outcome"] = f"{cohort.outcome.name} ({outcomes.kind})"
        if outcomes.kind != "continuous":
            said["events" if outcomes.kind == "survival" else "of the rarer answer"] = str(outcomes.n_events)
        if outcomes.time is not None and outcomes.event is not None:
            said["median follow-up"] = f"{median_follow_up(outcomes.time, outcomes.event):.1f} months"
    for name, column in patients.covariates.items():
        n_lacking = int(column.isna().sum())
        said[str(name)] = f"{len(column) - n_lacking} known" + (f", {n_lacking} missing" if n_lacking else "")
    for part, what in (("pathways", "pathway scores"), ("genes", "expression"), ("bags", "tile features")):
        if getattr(patients, part) is not None:
            said[what] = f"{len(cohort) - len(patients.without(part))} patients"  # type: ignore[arg-type]  # its names
    return said


def sites_can_be_held_out(sites: tuple[str, ...] | None) -> bool:
    """Whether there are ten sites or more, none with more than a fifth of the patients."""
    if sites is None:
        return False
    counts = pd.Series(sites).value_counts()
    return len(counts) >= MIN_SITES and counts.iloc[0] <= MOST_OF_SITE * len(sites)


def _follow_up(outcomes: Outcomes) -> list[str]:
    """Say where follow-up is so short or long that it may be in another unit."""
    if outcomes.time is None:
        return []
    longest = float(outcomes.time.max())
    if _SHORT_MONTHS <= longest <= _LONG_MONTHS:
        return []
    said = f"{longest:.1f} months" if longest < _LONG_MONTHS else f"{longest / 12:.0f} years"
    return [f"the longest follow-up is {said}: if it is in another unit, say so with {word('unit')}"]


def _events(outcomes: Outcomes, *, n_parameters: int) -> list[str]:
    if outcomes.kind == "continuous":
        return []
    n, what = outcomes.n_events, "events" if outcomes.kind == "survival" else "patients of the rarer answer"
    notes = []
    if n < MIN_EVENTS:
        text = f"{n} {what} among {len(outcomes)} patients: fewer than {MIN_EVENTS} hardly tell models apart"
        notes.append(f"{text}; look at the intervals")
    if n_parameters and n < _PER_PARAMETER * n_parameters:
        text = f"{n} {what} for {n_parameters} covariates: fewer than {_PER_PARAMETER} each, so that coefficients are"
        notes.append(f"{text} uncertain")
    return notes


def _tell_tales(covariates: pd.DataFrame, outcomes: Outcomes) -> list[str]:
    notes = []
    for name, column in covariates.items():
        if _LATER.search(str(name)):
            text = f"covariate {str(name)!r} sounds like something known only after the diagnosis, which gives the"
            notes.append(f"{text} answer away: leave it out unless it was known when follow-up began")
        elif (found := _concordance(column, outcomes)) > _TELLS:
            text = f"covariate {str(name)!r} alone ranks the patients almost as the outcome does (C = {found:.2f}): it"
            notes.append(f"{text} may give the answer away")
    return notes


def _concordance(column: pd.Series, outcomes: Outcomes) -> float:
    """Return how well a covariate alone ranks patients, whichever way round; 0.5 of one that is no number."""
    known = column.notna().to_numpy()
    if not pd.api.types.is_numeric_dtype(column) or known.sum() < 2:
        return 0.5
    time, event = as_follow_up(outcomes)
    counted = harrell(time[known], event[known], column[known].to_numpy(np.float64))
    return max(counted.c, 1 - counted.c) if counted.comparable else 0.5


def as_follow_up(outcomes: Outcomes) -> tuple[np.ndarray, np.ndarray]:
    """Return a time and an event of each patient, so that pairs are ranked alike for every kind of outcome.

    Of yes and no, those of yes have an event at time 1 and the others are censored at 2; of numbers, the larger one's
    event comes first.
    """
    if outcomes.time is not None and outcomes.event is not None:
        return outcomes.time, outcomes.event.astype(np.float64)
    assert outcomes.value is not None
    if outcomes.kind == "binary":
        return 2 - outcomes.value, outcomes.value
    rank = np.unique(-outcomes.value, return_inverse=True)[1]
    return rank + 1.0, np.ones(len(rank))


def _covariates(covariates: pd.DataFrame) -> list[str]:
    if not covariates.shape[1]:
        return ["no covariates: without age, sex and stage nobody can say what slides or genes add to the clinic"]
    notes = []
    if not any("stage" in str(name).lower() for name in covariates):
        text = "no covariate says the stage: stage alone ranks patients better than most published models of slides do,"
        notes.append(f"{text} and a comparison without it flatters")
    for name, column in covariates.items():
        if column.nunique(dropna=True) < 2:
            notes.append(f"covariate {str(name)!r} is the same for all patients: nothing can be learnt of it")
        elif n := int(column.isna().sum()):
            text = (
                f"covariate {str(name)!r} is missing for {n} of {len(column)} patients: models take the training mean"
            )
            notes.append(f"{text} there")
        if far := _far_off(column):
            notes.append(far)
    return notes


def _far_off(column: pd.Series) -> str:
    """Say which value lies far from all others, as what stands for "not known" does (-9999)."""
    if not pd.api.types.is_numeric_dtype(column):
        return ""
    known = column.dropna().to_numpy(np.float64)
    off = np.abs(known - np.median(known)) if len(known) else known
    usual = float(np.median(off)) if len(off) else 0.0
    if not usual or not (far := off > _FAR * usual).any():
        return ""
    worst = known[np.argmax(off)]
    text = f"covariate {str(column.name)!r} lies far from the others for {far.sum()} patients, as {worst:g} where"
    return f"{text} {np.median(known):g} is usual: leave the cell empty if it stands for not known"


def _sites(sites: tuple[str, ...] | None) -> list[str]:
    if sites is None:
        text = "no column says where patients were treated: folds are by patient, and what a site's slides have in"
        return [f"{text} common can pass for prognosis"]
    if sites_can_be_held_out(sites):
        return []
    counts = pd.Series(sites).value_counts()
    text = f"{len(counts)} sites, the largest with {counts.iloc[0]} of {len(sites)} patients: too few or too large to"
    return [f"{text} hold sites out, so that folds are by patient unless sites are asked for"]


def _namesakes(cohort: Cohort) -> list[str]:
    """Say which names may be one person: the same but for capitals, or two samples of one TCGA barcode."""
    notes, ids = [], cohort.patients.ids
    short = [person(name) for name in ids]
    if twice := sorted({one for one in short if short.count(one) > 1} if len(set(short)) < len(short) else ()):
        pair = [name for name, one in zip(ids, short, strict=True) if one == twice[0]]
        text = f"{len(twice)} patients may stand there under two names, as {pair[0]!r} and {pair[1]!r}: name them alike"
        notes.append(f"{text}, or both sides of a fold may see one person")
    return notes
