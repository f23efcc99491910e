"""A cohort read from a table: patients, what became of them, and what lies beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from mclstexp.cohort.beside_table import beside_table
from mclstexp.cohort.bridge.origin import Origin
from mclstexp.cohort.bridge.overlap import notes_on, origin_of
from mclstexp.cohort.cells import covariate, numbers, yes_or_no
from mclstexp.cohort.config import DAYS_PER, CohortConfig, OutcomeColumns
from mclstexp.cohort.follow_up import require_events, require_unit
from mclstexp.cohort.rows import read_rows, require_column
from mclstexp.core.cohort import Outcomes, Patients
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.options import suggest
from mclstexp.core.wording import shown

USUAL_COVARIATES: Final = ("age", "sex", "gender", "stage", "grade")
"""Columns that are covariates unasked."""
MOSTLY_THERE: Final = 0.8
"""Share of patients that must have such a value."""
_HALF_A_DAY: Final = 0.5


@dataclass(frozen=True, eq=False)
class Cohort:
    """Patients in one order, with what is known of them."""

    name: str
    """What the data are called: the table's name."""
    outcome: OutcomeColumns | None
    """Which outcome; None where it is not known, as of patients to predict."""
    patients: Patients
    """What a model sees."""
    outcomes: Outcomes | None
    """What became of them."""
    slides: Mapping[str, tuple[str, ...]]
    """Names of each patient's slides."""
    folds: tuple[str, ...] | None = None
    """The fold of each patient, where a column gives it."""
    notes: tuple[str, ...] = ()
    """What was left out or assumed while it was read."""
    origin: Origin | None = None
    """Which model predicted the expression, where that is said."""
    allow_overlap: bool = False
    """Whether that model may have learnt from these patients."""

    def __len__(self) -> int:
        return len(self.patients)

    @property
    def known(self) -> Outcomes:
        """What became of the patients.

        Raises
        ------
        InputError
            If that is not known.
        """
        if self.outcomes is None:
            msg = (
                f"an outcome of the patients of {self.name} expected, found none named: say which columns hold "
                f"it, with {word('outcome')}"
            )
            raise InputError(msg)
        return self.outcomes

    def subset(self, ids: Sequence[str]) -> Self:
        """Return some of the patients, in that order.

        Raises
        ------
        InputError
            If one is not among them.
        """
        place = {name: row for row, name in enumerate(self.patients.ids)}
        return replace(
            self,
            patients=self.patients.subset(ids),
            outcomes=None if self.outcomes is None else self.outcomes.subset(ids),
            slides={name: self.slides[name] for name in ids if name in self.slides},
            folds=None if self.folds is None else tuple(self.folds[place[name]] for name in ids),
        )


def read_cohort(config: CohortConfig) -> Cohort:
    """Read a cohort.

    Patients whose outcome is not known are left out, and counted in its notes.

    Raises
    ------
    InputError
        If a file cannot be read, a column is not there or holds something else, rows of one patient contradict each
        other, two patients have one slide, or follow-up is 0 or less.
    """
    path = config.path
    if not path:
        msg = "a table of patients expected, found none named: give its path"
        raise InputError(msg)
    rows = _taken(read_rows(path), config)
    columns = _columns(rows, config)
    require_column(rows, config.patient, what="the patients' names", path=path)
    if (rows[config.patient] == "").any():
        line = rows.index[rows[config.patient] == ""][0]
        msg = f"a patient's name in each row of {path} expected, found none in row {line}: add it, or drop the row"
        raise InputError(msg)
    outcome = OutcomeColumns.parse(config.outcome) if config.outcome else None
    for column in outcome.columns if outcome else ():
        require_column(rows, column, what="the outcome", path=path)
    slides = _slides(rows, config, columns["slide"])
    covariates = _covariates(rows, config, outcome)
    named = [name for name in (columns["site"], config.fold) if name is not None]
    first, notes = _one_row_each(rows, config, [*covariates, *named, *(outcome.columns if outcome else ())])
    notes += [] if config.covariates is not None else _seldom_known(rows, covariates)
    if outcome is not None:
        first, said = _with_outcome(first, outcome, path=path)
        notes += said
    return _assembled(first, config, outcome, columns, covariates=covariates, slides=slides, notes=notes)


def _taken(rows: pd.DataFrame, config: CohortConfig) -> pd.DataFrame:
    """Return the rows that `where` asks for."""
    for column, value in config.where.items():
        require_column(rows, column, what="that rows are chosen by", path=config.path)
        kept = rows[rows[column] == value]
        if kept.empty:
            known = rows[column].value_counts().index[:8]
            msg = f"rows with {column} = {value!r} expected in {config.path}, found none: {suggest(value, known)}"
            raise InputError(msg)
        rows = kept
    return rows


def _columns(rows: pd.DataFrame, config: CohortConfig) -> dict[str, str | None]:
    """Return the columns of sites and slides: those named, or the usual ones where they are there."""
    found: dict[str, str | None] = {}
    for what, said in (("site", config.site), ("slide", config.slide)):
        if said is not None:
            require_column(rows, said, what=f"the {what}s", path=config.path)
        found[what] = said if said is not None else what if what in rows else None
    if config.fold is not None:
        require_column(rows, config.fold, what="the folds", path=config.path)
    return found


def _slides(rows: pd.DataFrame, config: CohortConfig, column: str | None) -> dict[str, tuple[str, ...]]:
    """Return the slides of each patient; without such a column a slide is called after its patient."""
    if column is None:
        return {name: (name,) for name in dict.fromkeys(rows[config.patient])}
    some = rows[rows[column] != ""]
    whose = some.groupby(column, sort=False)[config.patient].unique()
    for slide, patients in whose.items():
        if len(patients) > 1:
            msg = (
                f"each slide of {config.path} with one patient expected, found {shown(slide, 40)} with {patients[0]!r} "
                f"and {patients[1]!r}: correct the table, or both sides of a fold would see it"
            )
            raise InputError(msg)
    of = some.groupby(config.patient, sort=False)[column].unique()
    return {str(name): tuple(map(str, found)) for name, found in of.items()}


def _covariates(rows: pd.DataFrame, config: CohortConfig, outcome: OutcomeColumns | None) -> list[str]:
    if config.covariates is None:
        there = [name for name in _usual(rows) if (rows[name] != "").mean() >= MOSTLY_THERE]
        return [name for name in there if not outcome or name not in outcome.columns]
    for name in config.covariates:
        require_column(rows, name, what="a covariate", path=config.path)
        if outcome and name in outcome.columns:
            msg = f"covariates other than the outcome expected, found {name!r}, of {outcome.name}: leave it out"
            raise InputError(msg)
    return list(dict.fromkeys(config.covariates))


def _usual(rows: pd.DataFrame) -> list[str]:
    lower = {str(name).lower(): str(name) for name in rows}
    return [lower[name] for name in USUAL_COVARIATES if name in lower]


def _seldom_known(rows: pd.DataFrame, covariates: list[str]) -> list[str]:
    left = [name for name in _usual(rows) if name not in covariates and (rows[name] != "").mean() < MOSTLY_THERE]
    text = f"{' and '.join(left)} known for fewer than {MOSTLY_THERE:.0%} of the patients"
    return [f"{text}: no covariate unless it is named"] if left else []


def _one_row_each(rows: pd.DataFrame, config: CohortConfig, columns: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the first row of each patient, after a look at whether the others say the same."""
    first = rows.drop_duplicates(config.patient)
    for column in columns:
        alike = rows.groupby(config.patient, sort=False)[column].nunique() == 1
        if not alike.all():
            name = alike.index[~alike][0]
            mine = rows[rows[config.patient] == name]
            other = mine.index[mine[column] != mine[column].iloc[0]][0]
            msg = (
                f"one {column!r} of each patient expected in {config.path}, found {shown(mine[column].iloc[0], 20)} in "
                f"row {mine.index[0]} and {shown(mine[column][other], 20)} in row {other} of {name!r}: correct one"
            )
            raise InputError(msg)
    told_apart = config.slide or ("slide" if "slide" in rows else None)
    key = [config.patient] if told_apart is None else [config.patient, told_apart]
    n_twice = int(rows.duplicated(key).sum())
    thing = "patient" if told_apart is None else "slide"
    return first, [f"{n_twice} rows repeat a {thing} that stands there already: each counts once"] if n_twice else []


def _with_outcome(first: pd.DataFrame, outcome: OutcomeColumns, *, path: Path | str) -> tuple[pd.DataFrame, list[str]]:
    """Leave out patients whose outcome is not known."""
    lacking = (first[list(outcome.columns)] == "").any(axis=1)
    if lacking.all():
        msg = f"patients with {' and '.join(outcome.columns)} expected in {path}, found none: name other columns"
        raise InputError(msg)
    n = int(lacking.sum())
    note = f"{n} of {len(first)} patients have no {' or no '.join(outcome.columns)} and are left out"
    return first[~lacking], [note] if n else []


def _assembled(
    first: pd.DataFrame,
    config: CohortConfig,
    outcome: OutcomeColumns | None,
    columns: Mapping[str, str | None],
    *,
    covariates: list[str],
    slides: Mapping[str, tuple[str, ...]],
    notes: list[str],
) -> Cohort:
    ids = tuple(first[config.patient])
    index = pd.Index(ids, dtype=object)
    clinic = {name: covariate(first[name], path=config.path).set_axis(index) for name in covariates}
    sites = None
    if (site := columns["site"]) is not None:
        unknown = first[site] == ""
        if unknown.any():
            notes.append(f"{int(unknown.sum())} patients have no {site}: they count as one site of their own")
        sites = tuple(first[site].where(~unknown, "unknown"))
    beside: dict[str, Any] = beside_table(config, ids, slides, notes)
    origin = origin_of(config)
    own_slides = {name: slides.get(name, ()) for name in ids}
    notes += [] if origin is None else notes_on(origin, own_slides)
    return Cohort(
        name=config.name or Path(config.path).name.partition(".")[0],
        outcome=outcome,
        patients=Patients(ids, sites, pd.DataFrame(clinic, index=index), **beside),
        outcomes=None if outcome is None else _outcomes(first, ids, outcome, config),
        slides=own_slides,
        folds=None if config.fold is None else _folds(first[config.fold], config),
        notes=tuple(notes),
        origin=origin,
        allow_overlap=config.allow_overlap,
    )


def _folds(column: pd.Series, config: CohortConfig) -> tuple[str, ...]:
    if (column == "").any():
        line = column.index[column == ""][0]
        msg = f"a fold of each patient expected in column {config.fold!r} of {config.path}, found none in row {line}"
        raise InputError(msg)
    return tuple(column)


def _outcomes(first: pd.DataFrame, ids: tuple[str, ...], outcome: OutcomeColumns, config: CohortConfig) -> Outcomes:
    path = config.path
    if outcome.kind != "survival":
        column = first[outcome.columns[0]]
        if column.str.lower().isin(("0", "1", "0.0", "1.0", "true", "false", "yes", "no")).all():
            return Outcomes.binary(ids, yes_or_no(column, path=path))
        if len(answers := sorted(set(column))) == 2:  # no measured number has two values alone
            msg = (
                f"1 and 0, or numbers of more than two values, expected in column {column.name!r} of {path}, found "
                f"{shown(answers[0], 20)} and {shown(answers[1], 20)}: write 1 for yes and 0 for no"
            )
            raise InputError(msg)
        return Outcomes.continuous(ids, numbers(column, path=path))
    time, event = (first[name] for name in outcome.columns)
    require_unit(str(time.name), config.unit, path=path)
    require_events(str(event.name), path=path)
    days = numbers(time, path=path) * DAYS_PER[config.unit]
    if config.zero_time == "half_day":
        days = days.where(days != 0, _HALF_A_DAY)
    if (days <= 0).any():
        row = int(np.flatnonzero(days <= 0)[0])
        half = f"correct it, or take 0 for half a day with {word('zero_time', 'half_day')}"
        hint = half if days.iloc[row] == 0 else "correct it"
        msg = (
            f"follow-up above 0 expected in column {time.name!r} of {path}, found {shown(time.iloc[row], 20)} of "
            f"{ids[row]!r} in row {time.index[row]}: {hint}"
        )
        raise InputError(msg)
    return Outcomes.survival(ids, time=days / DAYS_PER["months"], event=yes_or_no(event, path=path))
