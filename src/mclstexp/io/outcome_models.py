"""Fitted models of outcomes on disk, in folders like those of any other model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from mclstexp.core.errors import InputError
from mclstexp.core.method import State, options
from mclstexp.core.options import typed_options
from mclstexp.core.outcome_model import ROOM, OutcomeModel
from mclstexp.core.wording import shown
from mclstexp.io.guard import reading
from mclstexp.io.model_folder import DESCRIPTION, read_json, read_weights, write_folder
from mclstexp.io.remembered import check_outcome

_PARTS: Final[dict[str, type]] = {
    "method": str,
    "options": dict,
    "provenance": dict,
    "state": dict,
    "weights_sha256": str,
}


def save_outcome_model(model: OutcomeModel, folder: Path | str, *, overwrite: bool = False) -> Path:
    """Write a fitted model of outcomes; the folder appears whole or not at all.

    The names of its training patients are in it, so that none of them is taken for a new one.

    Parameters
    ----------
    model
        Any fitted one.
    folder
        Where to; made here.
    overwrite
        Whether a model that is already there is replaced. Anything else there is left alone.

    Raises
    ------
    InputError
        If the model is not fitted, something is in the way, or the place cannot be written to.
    """
    folder = Path(folder)
    if not model.is_fitted:
        msg = f"a fitted model expected, found {model.name} before fit: call fit(patients, outcomes) first"
        raise InputError(msg)
    state, provenance = model.get_state(), dict(model.provenance_)
    description = {
        "question": provenance.pop("question"),
        "method": model.name,
        "options": provenance.pop("options"),  # as fitted
        "provenance": provenance,
        "state": state.meta,
    }
    write_folder(folder, description, state.arrays, overwrite=overwrite)
    return folder


def load_outcome_model(folder: Path | str) -> OutcomeModel:
    """Read a model that `save_outcome_model` wrote; it predicts the very numbers it predicted before.

    Raises
    ------
    InputError
        If there is no model, it is one of another question or damaged, its format is newer than this version's, or its
        method is not known.
    """
    folder = Path(folder)
    description = read_outcome_description(folder)
    name = description["method"]
    cls = ROOM.method_class(name)
    arrays = read_weights(folder, sha256=description["weights_sha256"])
    with reading(folder, f"a saved {name} model"):
        model: OutcomeModel = cls(**typed_options(cls, description["options"], where=f"method {name}"))
        model.set_state(State(arrays, description["state"]))
        said = {**description["provenance"], "question": description["question"], "options": options(model)}
        model.provenance_ = said
    return model


def read_outcome_description(folder: Path | str) -> dict[str, Any]:
    """Read what ``model.json`` says of a model of outcomes, without the weights.

    Raises
    ------
    InputError
        As `load_outcome_model`.
    """
    folder = Path(folder)
    description, path = read_json(folder), folder / DESCRIPTION
    with reading(path, "the description of a saved model"):
        if description.get("question") != "outcome":
            msg = f"a model of patients' outcomes expected in {folder}, found another: use `mclstexp predict` with it"
            raise InputError(msg)
        for part, kind in _PARTS.items():
            if not isinstance(description[part], kind):  # a missing one is said at once
                msg = f"the {part} of a saved model expected in {path}, found {shown(description[part])}: copy it again"
                raise InputError(msg)
        check_outcome(description["provenance"], path=path)
    return description
