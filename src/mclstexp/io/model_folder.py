"""The folder of a fitted model, of whatever question: ``model.json`` and ``weights.safetensors``; no pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors.numpy import load, save

from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path, restore
from mclstexp.io.guard import reading
from mclstexp.io.targets import require_free

FORMAT: Final = 1
"""Rises with every change that older code cannot read; every older format stays readable."""
DESCRIPTION: Final = "model.json"
WEIGHTS: Final = "weights.safetensors"


def write_folder(
    folder: Path, description: Mapping[str, Any], arrays: Mapping[str, np.ndarray], *, overwrite: bool
) -> None:
    """Write a model; the folder appears whole or not at all.

    Parameters
    ----------
    folder
        Where to; made here.
    description
        What ``model.json`` says beside its format and the hash of the weights.
    arrays
        The weights.
    overwrite
        Whether a model that is already there is replaced. Anything else there is left alone.

    Raises
    ------
    InputError
        If something is in the way, or the place cannot be written to.
    """
    require_free(folder, mark=DESCRIPTION, what="the model", overwrite=overwrite)
    with atomic_path(folder) as path:
        path.mkdir()
        # not ascontiguousarray, which gives a scalar an axis
        weights = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
        (path / WEIGHTS).write_bytes(weights)
        whole = {"format": FORMAT, **description, "weights_sha256": hashlib.sha256(weights).hexdigest()}
        (path / DESCRIPTION).write_text(json.dumps(whole, indent=1, default=str) + "\n", encoding="utf-8")


def read_json(folder: Path) -> dict[str, Any]:
    """Read what ``model.json`` says, of a format that this version knows.

    Raises
    ------
    InputError
        If there is none, it is damaged, or its format is newer than this version's.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        restore(folder)  # a process may have died while it replaced it
    if not path.is_file():
        found = "a file" if folder.is_file() else "another folder" if folder.is_dir() else "nothing"
        msg = f"a saved model (a folder with {DESCRIPTION}) expected at {folder}, found {found}: check the path"
        raise InputError(msg)
    with reading(path, "the description of a saved model"):
        description = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(description, dict) or not isinstance(description.get("format"), int):
            msg = f"the description of a saved model expected in {path}, found other JSON: check the path"
            raise InputError(msg)
        if description["format"] > FORMAT:
            msg = (
                f"a model of format {FORMAT} or older expected in {folder}, found format {description['format']}: "
                "install a newer mclstexp"
            )
            raise InputError(msg)
    return description


def read_weights(folder: Path, *, sha256: str) -> dict[str, np.ndarray]:
    """Read the weights, if they are those that the description was written with.

    Raises
    ------
    InputError
        If they are not, or one is not finite.
    """
    path = folder / WEIGHTS
    with reading(path, "weights of a saved model"):
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            msg = f"weights as {DESCRIPTION} describes them expected in {path}, found others: copy the model again"
            raise InputError(msg)
        arrays = load(content)
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            msg = f"finite weights expected in {path}, found NaN or infinity in {name!r}: fit the model again"
            raise InputError(msg)
    return arrays
