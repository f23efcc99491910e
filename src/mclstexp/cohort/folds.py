"""Which patients teach and which examine: folds by site, so that no site's look can pass for prognosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.cohort.checks import MIN_SITES, sites_can_be_held_out
from mclstexp.cohort.table import Cohort
from mclstexp.core.cohort import Outcomes, Patients
from mclstexp.core.errors import InputError

By = Literal["site", "patient", "given"]
MIN_EVENTS: Final = 8
"""Events that a test fold must have."""
_JITTER: Final = 0.5


@dataclass(frozen=True)
class OutcomeFold:
    """Patients to learn from and patients to be judged on."""

    name: str
    """Such as "fold 2", or "repeat 2, fold 1"."""
    repeat: int
    """Which way of dividing the patients it belongs to, from 1."""
    by: By
    """What the two sides do not share."""
    train: tuple[str, ...]
    """All that a model may see."""
    test: tuple[str, ...]
    """What it is judged on."""


def make_folds(
    cohort: Cohort, *, by: By | None = None, n_folds: int = 5, repeats: int = 1, seed: int = 0
) -> list[OutcomeFold]:
    """Divide a cohort.

    Parameters
    ----------
    cohort
        With its outcome.
    by
        "site": all patients of a site on one side; "patient": each by chance; "given": as the table says. By default as
        the table says if it does, else by site where there are ten sites and none has more than a fifth of the
        patients, else by patient.
    n_folds, repeats
        Parts, and how many times the patients are divided anew; given folds are what they are.
    seed
        Of the division.

    Raises
    ------
    InputError
        If a fold has fewer than eight events (of those that are made here), or there is nothing to divide by.
    """
    by = by or ("given" if cohort.folds else "site" if sites_can_be_held_out(cohort.patients.sites) else "patient")
    if n_folds < 2 or repeats < 1:
        msg = f"2 folds and 1 repeat or more expected, found {n_folds} and {repeats}: ask for more"
        raise InputError(msg)
    if by == "given":
        if cohort.folds is None:
            msg = "a column of folds expected, found none named: name it, or divide by site or patient"
            raise InputError(msg)
        return _named(cohort.patients.ids, [np.array(cohort.folds)], by=by)
    unit = _units(cohort.patients, by=by)
    weight = event_weights(cohort.known)
    ways = [deal(unit, weight, n_folds=n_folds, seed=seed + repeat) for repeat in range(repeats)]
    folds = _named(cohort.patients.ids, ways, by=by)
    _require_events(folds, cohort.known, n_folds=n_folds)
    return folds


def inner_folds(
    patients: Patients, outcomes: Outcomes, *, n_folds: int = 3, seed: int = 0
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Divide training patients once more, for choices: by site where that leaves every part an event, else by patient.

    Returns
    -------
    Names of those to learn from and of those to choose by, of each part.
    """
    weight = event_weights(outcomes.subset(patients.ids))
    for by in ("site", "patient"):
        if by == "site" and (patients.sites is None or len(set(patients.sites)) < n_folds):
            continue
        of = deal(_units(patients, by=by), weight, n_folds=n_folds, seed=seed)
        if all(weight[of == k].sum() > 0 and weight[of != k].sum() > 0 for k in range(n_folds)):
            break
    ids = np.array(patients.ids, object)
    return [(tuple(ids[of != k]), tuple(ids[of == k])) for k in range(n_folds) if (of == k).any()]


def deal(
    unit: Sequence[str], weight: Float[np.ndarray, " n"], *, n_folds: int, seed: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Deal units to folds, the largest first, each to the fold with the fewest events, then patients.

    The first way (seed 0) takes units by size alone; others shake the sizes, so that each divides otherwise. The order
    of the patients does not matter.

    Returns
    -------
    The fold of each patient, from 0.
    """
    table = pd.DataFrame({"unit": list(map(str, unit)), "weight": weight})
    units = table.groupby("unit")["weight"].agg(["size", "sum"]).sort_index()
    rng = np.random.default_rng(seed)
    tie, shake = rng.random(len(units)), rng.normal(size=len(units)) * _JITTER * (seed > 0)
    order = np.lexsort((tie, -units["sum"], -units["size"] * np.exp(shake)))
    load, of = np.zeros((n_folds, 2)), {}
    for row in order:
        fold = min(range(n_folds), key=lambda k: (load[k, 0], load[k, 1]))
        of[units.index[row]] = fold
        load[fold] += units["sum"].iloc[row], units["size"].iloc[row]
    return table["unit"].map(of).to_numpy(np.int64)


def event_weights(outcomes: Outcomes) -> Float[np.ndarray, " n"]:
    """Return what a patient counts where folds are made alike: an event, the rarer answer, or everyone of numbers."""
    if outcomes.event is not None:
        return outcomes.event.astype(np.float64)
    assert outcomes.value is not None
    if outcomes.kind == "binary":
        rare = 1.0 if outcomes.value.mean() <= 0.5 else 0.0
        return (outcomes.value == rare).astype(np.float64)
    return np.ones(len(outcomes))


def _units(patients: Patients, *, by: By | str) -> tuple[str, ...]:
    if by == "patient":
        return patients.ids
    if patients.sites is None or len(set(patients.sites)) < 2:
        msg = (
            "patients of two sites or more expected to hold sites out, found one: name the column, or hold out patients"
        )
        raise InputError(msg)
    return patients.sites


def _named(ids: tuple[str, ...], ways: Sequence[np.ndarray], *, by: By) -> list[OutcomeFold]:
    names, folds = np.array(ids, object), []
    for repeat, of in enumerate(ways, start=1):
        for k in sorted(set(of.tolist()), key=_in_order):
            label = f"fold {k if by == 'given' else k + 1}"
            name = label if len(ways) == 1 else f"repeat {repeat}, {label}"
            train, test = (tuple(names[mine].tolist()) for mine in (of != k, of == k))
            if not train:
                msg = "two folds or more expected, found one: every patient is in it"
                raise InputError(msg)
            folds.append(OutcomeFold(name, repeat, by, train, test))
    return folds


def _in_order(name: object) -> tuple[bool, float, str]:
    text = str(name)
    number = text.lstrip("-").replace(".", "", 1).isdigit()
    return not number, float(text) if number else 0.0, text


def _require_events(folds: Sequence[OutcomeFold], outcomes: Outcomes, *, n_folds: int) -> None:
    for fold in folds:
        if outcomes.kind != "continuous" and (n := int(event_weights(outcomes.subset(fold.test)).sum())) < MIN_EVENTS:
            total = int(event_weights(outcomes).sum())
            what = "events" if outcomes.kind == "survival" else "patients of the rarer answer"
            msg = (
                f"{MIN_EVENTS} {what} or more in each test fold expected, found {n} in {fold.name} ({total} in all, "
                f"{n_folds} folds): ask for fewer folds, and for repeats"
            )
            raise InputError(msg)


__all__ = ["MIN_EVENTS", "MIN_SITES", "By", "OutcomeFold", "deal", "event_weights", "inner_folds", "make_folds"]
