"""What a model of patients is shown: what it takes and nothing else, whole and in the order it knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from mclstexp.core.cohort import Kind, Outcomes, Part, Patients
from mclstexp.core.errors import InputError

FRAMES: Final[tuple[Part, ...]] = ("covariates", "pathways", "genes")
"""The parts of patients that are tables."""
_GIVE: Final[Mapping[Part, str]] = {
    "covariates": "give age, sex and stage",
    "bags": "embed the slides, or leave out who has none",
    "pathways": "give a table of scores, or leave out who has none",
    "genes": "give a table of expression, or leave out who has none",
}


def show(patients: Patients, *, takes: frozenset[Part], may_lack: frozenset[Part], name: str) -> Patients:
    """Leave only what a model takes.

    Raises
    ------
    InputError
        If a part is not there, or a patient lacks one that may not be lacking.
    """
    for part in sorted(takes):
        lacking = patients.without(part)
        if lacking and (part not in may_lack or len(lacking) == len(patients)):
            who = "all patients" if len(lacking) == len(patients) else f"{len(lacking)} ({', '.join(lacking[:3])})"
            msg = f"{part} of each patient expected for {name}, found none of {who}: {_GIVE[part]}"
            raise InputError(msg)
    kept: dict[str, Any] = {part: getattr(patients, part) if part in takes else None for part in FRAMES}
    if "covariates" not in takes:
        kept["covariates"] = pd.DataFrame()
    return replace(patients, **kept, bags=patients.bags if "bags" in takes else None)


def as_fitted(
    patients: Patients,
    *,
    columns: Mapping[Part, tuple[str, ...]],
    dim: int,
    name: str,
    made: Sequence[Mapping[str, str]] = (),
) -> Patients:
    """Order the columns as a model was fitted on them; others are left out.

    Raises
    ------
    InputError
        If one is not there, or tiles have another width, or were made by another encoder or at another scale.
    """
    kept = {}
    for part, names in columns.items():
        found = getattr(patients, part)
        lacking = [column for column in names if column not in found.columns]
        if lacking:
            msg = (
                f"the {len(names)} {part} that this {name} was fitted on expected, {len(lacking)} of them not found "
                f"({', '.join(lacking[:3])}): add those columns"
            )
            raise InputError(msg)
        kept[part] = found.loc[:, list(names)]
    if patients.dim not in (0, dim):
        msg = f"tile features of width {dim} expected for this {name}, found {patients.dim}: embed alike"
        raise InputError(msg)
    for was, found in zip(made, patients.made, strict=False):
        if other := [part for part in was if found.get(part, was[part]) != was[part]]:
            what = other[0]
            msg = (
                f"tile features as this {name} learnt from ({what} {was[what]}) expected, found {what} {found[what]}: "
                "embed alike"
            )
            raise InputError(msg)
    return replace(patients, **kept)


def check_outcomes(outcomes: Outcomes, *, name: str, kinds: tuple[Kind, ...]) -> None:
    """Refuse outcomes from which nothing can be learnt.

    Raises
    ------
    InputError
        If they are of another kind, of fewer than two patients, or all the same.
    """
    if outcomes.kind not in kinds:
        msg = f"an outcome of kind {' or '.join(kinds)} expected for {name}, found {outcomes.kind}: use another model"
        raise InputError(msg)
    same = outcomes.value is not None and len(set(outcomes.value.tolist())) < 2
    if len(outcomes) < 2 or outcomes.n_events < 1 or same:
        what = {"survival": "an event", "binary": "both answers", "continuous": "different numbers"}[outcomes.kind]
        msg = (
            f"two or more training patients with {what} among them expected for {name}, found {len(outcomes)} patients "
            f"with {'one answer' if same else f'{outcomes.n_events} events'}: add patients"
        )
        raise InputError(msg)
