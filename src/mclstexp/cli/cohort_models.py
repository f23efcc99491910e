"""`cohort fit | predict`: a model of what becomes of patients, and what it says of others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mclstexp.cli.cohort import Patients, cohort, cohort_config
from mclstexp.cli.terminal import say, warn
from mclstexp.core.progress import step


@Parameter(name="*", group="Model")
@dataclass(frozen=True)
class Learnt:
    """What is learnt and how."""

    model: str = "clinical"
    """The model, or clinical+MODEL; `mclstexp list` shows them."""
    option: Annotated[list[str], Parameter(negative="", show_default=False)] = field(default_factory=list)
    """Option of the model as NAME=VALUE, any number of times; `mclstexp list MODEL` shows them."""
    preset: str | None = None
    """A named set of options to start from, such as published; --option counts for more."""


@cohort.command
def fit(
    table: Path,
    /,
    *,
    out: Path,
    learnt: Learnt = Learnt(),
    patients: Patients = Patients(),  # noqa: B008  frozen
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Fit a model on all patients of a table and save it.

    Parameters
    ----------
    table
        The table of patients.
    out
        Folder for the model.
    overwrite
        Replace a model that is already there.
    """
    step(f"Fitting {learnt.model} on {table}")
    from mclstexp.api.cohort import fit_outcome
    from mclstexp.cli.questions import make_method
    from mclstexp.core.outcome_model import ROOM

    model = make_method(ROOM, learnt.model, learnt.option, preset=learnt.preset)
    fitted = fit_outcome(cohort_config(table, patients), model, out=out, overwrite=overwrite, on_warning=warn)
    made = fitted.provenance_
    of = f"{made['n_patients']} patients, {made['n_events']} events"
    say(f"{fitted.name} learnt {made['outcome_name']} of {of}: {out}")


@cohort.command
def predict(
    model: Path,
    table: Path,
    /,
    *,
    out: Path,
    at_months: str | None = None,
    patients: Patients = Patients(),  # noqa: B008  frozen
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Say what will become of patients whom the model was not shown.

    Parameters
    ----------
    model
        Folder of a fitted model.
    table
        The table of patients; no outcome is needed.
    out
        File to write (.csv): each patient's risk, group and survival.
    at_months
        Months at which survival is asked for, as 12,36,60; by default those of the training patients.
    overwrite
        Replace a file that is already there.
    """
    step(f"Reading {model} and {table}")
    from mclstexp.api.cohort import predict_outcome

    said = predict_outcome(
        model, cohort_config(table, patients), out=out, at_months=_months(at_months), overwrite=overwrite
    )
    n_high = int((said["group"] == "high").sum())
    say(f"{len(said)} patients, {n_high} above the training patients' median risk: {out}")


def _months(said: str | None) -> tuple[float, ...]:
    from mclstexp.core.errors import InputError

    try:
        return tuple(float(part) for part in (said or "").split(",") if part.strip())
    except ValueError:
        msg = f"--at-months written as 12,36,60 expected, found {said!r}"
        raise InputError(msg) from None
