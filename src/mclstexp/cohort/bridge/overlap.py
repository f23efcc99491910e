"""A cohort whose expression was predicted: by which model, and whether that learnt from its patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from mclstexp.cohort.bridge.origin import Origin, read_origin
from mclstexp.cohort.config import CohortConfig
from mclstexp.core.cohort import Outcomes
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.outcome_model import OutcomeModel

if TYPE_CHECKING:
    from mclstexp.cohort.table import Cohort

EXPRESSION: Final = "expression"
"""Entry of a model's provenance: which model predicted the expression that it learnt from."""


def origin_of(config: CohortConfig) -> Origin | None:
    """Return the origin of a cohort's expression or pathway scores; None where none is said, as of measured ones.

    Raises
    ------
    InputError
        If genes and pathways were predicted by two models.
    """
    found = {path: origin for path in (config.expression, config.pathways) if path and (origin := read_origin(path))}
    if len({origin.model for origin in found.values()}) > 1:
        msg = f"genes and pathways predicted by one model expected, found two in {' and '.join(found)}: take one"
        raise InputError(msg)
    return next(iter(found.values()), None)


def notes_on(origin: Origin, slides: Mapping[str, Sequence[str]]) -> list[str]:
    """Say what is worth knowing of predicted expression: that it is the image again, and from whom it was learnt.

    Parameters
    ----------
    origin
        Of the expression.
    slides
        Names of each patient's slides.
    """
    notes = [f"expression is {origin}: a reading of the same image, no second source"]
    if seen := origin.seen(slides):
        text = f"the model that predicted the expression learnt from {len(seen)} of {len(slides)} patients"
        notes.append(f"{text} ({', '.join(seen[:3])}): what it says of them flatters")
    if not origin.is_known:
        text = "the model that predicted the expression does not know from which patients it learnt: whether they are"
        notes.append(f"{text} among these cannot be said")
    return notes


def learnable(cohort: Cohort) -> Outcomes:
    """Return what became of patients, to learn from or to judge by.

    Raises
    ------
    InputError
        If that is not known; or if their expression was predicted by a model that learnt from some of them, and that
        was not allowed.
    """
    if cohort.origin is not None and not cohort.allow_overlap and (seen := cohort.origin.seen(cohort.slides)):
        msg = (
            f"expression predicted by a model that learnt from none of the patients of {cohort.name} expected, found "
            f"{len(seen)} of {len(cohort)} in its training ({', '.join(seen[:3])}): leave them out, predict with a "
            f"model of others, or give {word('allow_overlap')}"
        )
        raise InputError(msg)
    return cohort.known


def entry_of(origin: Origin) -> dict[str, str]:
    """Return what a model of patients remembers of the expression that it learnt from."""
    return {"model": origin.model, "said": str(origin)}


def require_same_origin(model: OutcomeModel, asked: Cohort) -> None:
    """Refuse expression of another origin than a model of patients learnt from: it is on another scale.

    Where there is none, the model says itself that it needs some.

    Raises
    ------
    InputError
        If one was predicted and the other measured, or they were predicted by two models.
    """
    read = [part for part in ("genes", "pathways") if part in model.takes]
    if all(getattr(asked.patients, part) is None for part in read):
        return
    learnt, origin = model.provenance_.get(EXPRESSION), asked.origin
    if (None if learnt is None else learnt["model"]) != (None if origin is None else origin.model):
        was = "measured" if learnt is None else learnt["said"]
        found = "measured, or of unknown origin" if origin is None else "predicted by another model"
        msg = f"expression as {model.name} learnt from ({was}) expected, found {found}: make it in the same way"
        raise InputError(msg)
