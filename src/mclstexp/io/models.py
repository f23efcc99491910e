"""Fitted models on disk: a folder of ``model.json`` and ``weights.safetensors``; no pickle."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors.numpy import load, save

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.options import build, typed_options
from mclstexp.core.predictor import Predictor, State, options
from mclstexp.core.tiles import TileSpec
from mclstexp.core.wording import shown
from mclstexp.io.atomic import atomic_path, restore
from mclstexp.io.guard import reading
from mclstexp.io.targets import require_free

FORMAT: Final = 1
"""Rises with every change that older code cannot read; every older format stays readable."""
DESCRIPTION: Final = "model.json"
WEIGHTS: Final = "weights.safetensors"
_LATER: Final[Mapping[str, Any]] = {"colour": False, "slide_scale": False, "trust": 0.0}
"""What models of older versions did, of options that they do not name."""
_PARTS: Final[dict[str, type]] = {
    "method": str,
    "options": dict,
    "space": dict,
    "spec": dict,
    "provenance": dict,
    "state": dict,
    "weights_sha256": str,
}
_KINDS: Final[dict[type, str]] = {str: "a text", dict: "values by name"}


def save_model(model: Predictor, folder: Path | str, *, overwrite: bool = False) -> Path:
    """Write a fitted model; the folder appears whole or not at all.

    Parameters
    ----------
    model
        Any fitted method.
    folder
        Where to; made here.
    overwrite
        Whether a model that is already there is replaced. Anything else there is left alone.

    Returns
    -------
    The folder.

    Raises
    ------
    InputError
        If the model is not fitted, something is in the way, or the place cannot be written to.
    """
    folder = Path(folder)
    if not model.is_fitted:
        msg = f"a fitted model expected, found {model.name} before fit: call fit(sections) first"
        raise InputError(msg)
    require_free(folder, mark=DESCRIPTION, what="the model", overwrite=overwrite)
    state = model._get_state()
    provenance = dict(model.provenance_)
    with atomic_path(folder) as path:
        path.mkdir()
        # not ascontiguousarray, which gives a scalar an axis
        weights = save({name: np.asarray(array, order="C") for name, array in state.arrays.items()})
        (path / WEIGHTS).write_bytes(weights)
        description = {
            "format": FORMAT,
            "method": model.name,
            "options": provenance.pop("options"),  # as fitted
            "space": model.space_.to_dict(),
            "spec": dataclasses.asdict(model.spec_),
            "provenance": provenance,
            "state": state.meta,
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
        }
        (path / DESCRIPTION).write_text(json.dumps(description, indent=1, default=str) + "\n", encoding="utf-8")
    return folder


def load_model(folder: Path | str, *, methods: Mapping[str, type[Predictor]]) -> Predictor:
    """Read a model that `save_model` wrote.

    Parameters
    ----------
    folder
        The model's folder.
    methods
        The methods that can be loaded, by name.

    Returns
    -------
    The fitted model; it predicts the very numbers it predicted before it was saved.

    Raises
    ------
    InputError
        If there is no model, it is damaged, its format is newer than this version's, or its method is not known.
    """
    folder = Path(folder)
    description = read_description(folder)
    name = description["method"]
    if name not in methods:
        msg = (
            f"a model of a known method expected in {folder}, found {name!r}: install the package that offers it "
            f"(known: {', '.join(methods)})"
        )
        raise InputError(msg)
    arrays = _read_weights(folder / WEIGHTS, sha256=description["weights_sha256"])
    with reading(folder, f"a saved {name} model"):
        has = {field.name for field in dataclasses.fields(methods[name])}  # type: ignore[arg-type]
        later = {option: value for option, value in _LATER.items() if option in has}
        given = {**later, **description["options"]}
        model = methods[name](**typed_options(methods[name], given, where=f"method {name}"))
        model.space_ = build(ExpressionSpace, description["space"], where=f"{folder}: the space")
        model.spec_ = build(TileSpec, description["spec"], where=f"{folder}: the tiles")
        model.provenance_ = {**description["provenance"], "options": options(model)}
        model._set_state(State(arrays=arrays, meta=description["state"]))
    return model


def read_description(folder: Path | str) -> dict[str, Any]:
    """Read what ``model.json`` says, without the weights.

    Raises
    ------
    InputError
        If there is none, it is damaged, or its format is newer than this version's.
    """
    folder = Path(folder)
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
        for part, kind in _PARTS.items():
            if not isinstance(description[part], kind):  # a missing one is said at once
                found = shown(description[part])
                msg = f"the {part} of a saved model ({_KINDS[kind]}) expected in {path}, found {found}: copy it again"
                raise InputError(msg)
        provenance = description["provenance"]
        named = isinstance(provenance["sections"], dict) and isinstance(provenance["patients"], list)
        if not named or not isinstance(provenance.get("code", {}), dict):
            msg = f"sections and patients of the fit expected in {path}, found others: copy the model again"
            raise InputError(msg)
        build(ExpressionSpace, description["space"], where=f"{path}: the space")
        build(TileSpec, description["spec"], where=f"{path}: the tiles")
    return description


def _read_weights(path: Path, *, sha256: str) -> dict[str, np.ndarray]:
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
