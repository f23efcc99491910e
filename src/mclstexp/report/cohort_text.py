"""What the page of a cohort says in sentences: what was added to the clinic, and what may not be claimed."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from mclstexp.cohort.summary_text import SURE, sentences
from mclstexp.core.cohort import Part
from mclstexp.core.errors import InputError
from mclstexp.core.outcome_model import ROOM
from mclstexp.core.wording import without_places
from mclstexp.report.cohort_study import CohortStudy

ONE_MODALITY: Final = "Predicted expression comes from the same image and is one modality."
_SEES: Final[dict[Part, str]] = {
    "covariates": "what the clinic knows",
    "bags": "tiles of slides",
    "pathways": "scores of pathways",
    "genes": "expression of genes",
}
CLINICAL: Final = "clinical"
"""The model that is called the clinic."""
_HELD: Final = {"site": "whole sites were held out", "patient": "patients were held out", "given": "held out as given"}
_EVENTS: Final = {"survival": "events", "binary": "of them with the rarer answer"}
_STAGE: Final = ("stage", "grade")
_COMPARED: Final = ("More than", "Less than", "There is no")
"""How sentences on models held against the baseline begin."""
_FEW_EVENTS: Final = 100
_RANKS: Final = {
    "survival": "whose event came earlier",
    "binary": "who had a yes",
    "continuous": "whose number was higher",
}


def headline(study: CohortStudy) -> list[str]:
    """Say what the page's model adds to the clinic, with its interval and Holm's p."""
    row, base = study.row(study.method), study.baseline
    if study.method == base:
        return [
            f"{base} alone is looked at here: it ranks patients with a C of {ranged(row, 'c')}. What slides or "
            "expression add to it cannot be said from it."
        ]
    if not study.has_baseline or pd.isna(row["difference"]):
        return [
            f"{study.method} ranks patients with a C of {ranged(row, 'c')}. It was held against no clinical model, so "
            "what it adds to the clinic cannot be said."
        ]
    n = int(study.summary["p"].notna().sum())
    over = f", Holm p {p_value(row['holm'])} over {n} models" if n > 1 else f", p {p_value(row['p'])}"
    return [
        f"{study.method} less {base}: {signed(row['difference'])} in C "
        f"[{signed(row['difference_low'])}, {signed(row['difference_high'])}]{over}.",
        _verdict(row, study),
        f"{study.method} itself has a C of {ranged(row, 'c')}, {base} one of "
        f"{ranged(study.row(base), 'c')}: of two patients that can be compared, how often the one {_of(study)} "
        "was given the higher risk.",
    ]


def named(study: CohortStudy) -> str:
    """Name the cohort, and which rows of its table it is."""
    rows = study.record["experiment"].get("data", {}).get("where") or {}
    which = ", ".join(f"{column} {value}" for column, value in rows.items())
    return f"{study.record['cohort']['name']} ({which})" if which else str(study.record["cohort"]["name"])


def bar_of(study: CohortStudy) -> str:
    """Return what models are held against, as a sentence has it."""
    return "the clinic" if study.baseline == CLINICAL else study.baseline


def _of(study: CohortStudy) -> str:
    return _RANKS[study.kind]


def _verdict(row: pd.Series, study: CohortStudy) -> str:
    bar = bar_of(study)
    sure = row["holm"] < SURE and np.sign(row["difference_low"]) == np.sign(row["difference_high"])
    if sure and row["difference"] > 0:
        return f"It ranks these patients better than {bar} does, beyond chance; whether it does elsewhere is open."
    if sure:
        return f"It ranks these patients worse than {bar} does, beyond chance."
    if row["difference_low"] > 0 or row["difference_high"] < 0:
        return (
            "Its interval leaves out 0, but with all the models that were tried it is not beyond chance (Holm p "
            f"{p_value(row['holm'])})."
        )
    return (
        f"From these patients it cannot be said that it adds anything to {study.baseline}: a gain of up to "
        f"{max(row['difference_high'], 0):.3f} and a loss of up to {max(-row['difference_low'], 0):.3f} remain open."
    )


def tested(study: CohortStudy) -> str:
    """Say in a sentence who was tested."""
    cohort, folds = study.record["cohort"], study.record["folds"].values()
    held = " and ".join(_HELD[by] for by in sorted({fold["by"] for fold in folds}))
    events = f", {cohort['n_events']} {_EVENTS[study.kind]}" if study.kind in _EVENTS else ""
    sites = f" of {study.answers['site'].nunique()} sites" if "site" in study.answers else ""
    return f"Tested on {cohort['n_patients']} patients{sites}{events}; {held} in {len(folds)} folds."


def who(study: CohortStudy) -> list[str]:
    """Say who was tested, and what was known of them."""
    known = ", ".join(study.record["cohort"]["covariates"]) or "nothing"
    said = [tested(study), f"The clinic knows {known}."]
    horizons = [f"{u:g}" for u in study.record.get("horizons", [])]
    said += [f"Survival is looked at after {', '.join(horizons)} months."] if horizons else []
    return said


def sees(study: CohortStudy) -> list[str]:
    """Say what the page's model looks at, and what expression is."""
    parts = parts_of(study)
    what = ", ".join(text for part, text in _SEES.items() if part in parts) or "nothing but the training curve"
    said = [f"{study.method} looks at {what}. Whatever it learnt it learnt in each fold from the other patients."]
    if parts & {"pathways", "genes"}:
        origin = study.record["cohort"].get("expression")
        said += [ONE_MODALITY]
        said += [] if origin else ["No file says that this expression was predicted: measured, it is a second source."]
    return said


def parts_of(study: CohortStudy) -> frozenset[Part]:
    """Return what the page's model looks at; nothing of a model that is not installed here."""
    try:
        made = ROOM.method_class(str(study.record["methods"][study.method]["method"]))()
    except (InputError, TypeError):
        return frozenset()
    return frozenset(made.takes)


def no_claims(study: CohortStudy) -> list[str]:
    """Say what may not be claimed of any such results."""
    base = study.baseline
    return [
        "No clinical use follows: nothing here was made, tested or approved to decide on anybody's treatment.",
        f"Not that {study.method} predicts {study.outcome}: what it may be credited with is its difference to {base}.",
        "Not that a kind of tissue, a pathway or a tile causes anything: coefficients are what goes together here.",
        f"Not that a slide and what was predicted from it are two sources. {ONE_MODALITY}",
        "Not that the next cohort has these numbers: patients of a hospital or a trial are chosen, and calibration is "
        "what is lost first.",
    ]


def beware(study: CohortStudy) -> list[str]:
    """Say what to be wary of in these results."""
    said, cohort = [], study.record["cohort"]
    covariates = [str(name).lower() for name in cohort["covariates"]]
    if study.has_baseline and not any(word in name for name in covariates for word in _STAGE):
        text = f"{study.baseline} knows {', '.join(covariates) or 'nothing'}, and neither stage nor grade"
        said.append(f"{text}: that is a low bar, and what is added to it may be no more than the stage.")
    if {fold["by"] for fold in study.record["folds"].values()} == {"patient"}:
        said.append("Patients of one site stand on both sides of a fold: a stain can pass for a prognosis.")
    if study.kind == "survival" and cohort["n_events"] < _FEW_EVENTS:
        said.append(f"{cohort['n_events']} events tell models apart poorly: intervals say how poorly.")
    if bool(study.row(study.method).get("tuned", False)):
        said.append(f"Defaults of {study.method} were chosen on this very data set, which flatters it.")
    said += [text for text in sentences(study.summary, study.record)[1:] if not text.startswith(_COMPARED)]
    return [without_places(text) for text in [*said, *map(_sentence, study.record.get("notes", []))]]


def compared(study: CohortStudy) -> list[str]:
    """Say which models rank patients better or worse than the baseline, as the evaluation printed it."""
    return [text for text in sentences(study.summary, study.record) if text.startswith(_COMPARED)]


def on_groups(study: CohortStudy) -> list[str]:
    """Say how far risk groups part."""
    if study.risk_groups.empty:
        return ["These results were written by an earlier version, without risk groups: evaluate again to have them."]
    said = []
    for name in study.looked_at:
        row = study.row(name)
        if pd.isna(row.get("log_rank_p", np.nan)):
            said.append(f"{name} puts all patients into one group: there is nothing to part.")
            continue
        said.append(
            f"{name}: log-rank p {p_value(row['log_rank_p'])} (χ² {row['log_rank']:.2f}, compared within folds); "
            f"observed over expected events are {row['hazard_ratio']:.2f} times as many at high risk as at low."
        )
    return said


def on_ranking(study: CohortStudy) -> list[str]:
    """Say how well patients are ranked, where there are no risk groups to part."""
    area = "the area under the curve within folds is" if study.kind == "binary" else "C is"
    said = [f"{name}: {area} {ranged(study.row(name), 'c')}." for name in study.looked_at]
    return said if study.kind == "binary" else [*said, *on_calibration(study)]


def on_calibration(study: CohortStudy) -> list[str]:
    """Say whether what was foretold came true."""
    said = []
    for name in study.looked_at:
        row = study.row(name)
        parts = [f"slope {row['slope']:.2f}"] if pd.notna(row["slope"]) else []
        if pd.notna(row.get("observed_expected", np.nan)):
            parts.append(f"{row['observed_expected']:.2f} events observed for each one foretold")
        if pd.notna(row.get("index", np.nan)):
            parts.append(f"{_INDEX[study.kind]} {row['index']:.3f}".replace("-", "\u2212"))
        said.append(f"{name}: {', '.join(parts)}." if parts else f"{name}: nothing to say.")
    return said


_INDEX: Final = {"survival": "IBS index", "binary": "Brier index", "continuous": "R²"}


def facts(study: CohortStudy) -> dict[str, Any]:
    """Return the cohort in numbers."""
    cohort, folds = study.record["cohort"], study.record["folds"].values()
    return {
        "cohort": named(study),
        "outcome": f"{cohort['outcome']} ({cohort['kind']})",
        "patients": cohort["n_patients"],
        "events": cohort["n_events"],
        "covariates of the clinic": ", ".join(cohort["covariates"]) or "none",
        "folds": f"{len(folds)}, by {' and '.join(sorted({fold['by'] for fold in folds}))}",
        "tested in each fold": ", ".join(str(len(fold["test"])) for fold in folds),
        "key of the cohort": cohort["identity"],
    }


def ranged(row: pd.Series, name: str) -> str:
    """Write a number with its interval."""
    return f"{row[name]:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]"


def signed(value: float) -> str:
    """Write a difference."""
    return f"{value:+.3f}".replace("-", "\u2212")


def p_value(p: float) -> str:
    """Write a p value."""
    return "unknown" if pd.isna(p) else f"{p:.2g}" if p >= 1e-4 else "below 0.0001"


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."
