"""Fitted models of outcomes on disk, in folders like those of any other model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mclstexp.core.errors import InputError
from mclstexp.core.outcome_model import ROOM, OutcomeModel
from mclstexp.io.fitted import load_fitted, read_fitted_description, write_fitted
from mclstexp.io.remembered import check_outcome


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
    return write_fitted(model, folder, overwrite=overwrite)


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
    return load_fitted(folder, description, ROOM.method_class(description["method"]))


def read_outcome_description(folder: Path | str) -> dict[str, Any]:
    """Read what ``model.json`` says of a model of outcomes, without the weights.

    Raises
    ------
    InputError
        As `load_outcome_model`.
    """
    other = f"a model of patients' outcomes expected in {folder}, found another: use `mclstexp predict` with it"
    return read_fitted_description(Path(folder), question="outcome", other=other, check=check_outcome)
