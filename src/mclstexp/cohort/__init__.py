"""From slides and predicted expression to patients: one file per model; a file saved here is a model everywhere."""

from __future__ import annotations

from typing import Any

from mclstexp.core.outcome_model import ROOM, OutcomeModel

DEFAULT = "clinical"


def list_outcome_models() -> dict[str, type[OutcomeModel]]:
    """Return every known model of outcomes by name; each may stand beside the clinic, as ``clinical+NAME``."""
    return ROOM.methods()


def create_outcome_model(name: str = DEFAULT, *, preset: str | None = None, **options: Any) -> OutcomeModel:
    """Make a model of outcomes.

    Parameters
    ----------
    name
        A name of `list_outcome_models()`, or ``clinical+NAME``.
    preset
        A named set of options to start from, such as "published".
    options
        Its options by name; they count for more than the preset's.

    Raises
    ------
    InputError
        If the model, the preset or an option is unknown; the message names the nearest.
    """
    return ROOM.create(name, preset=preset, **options)
