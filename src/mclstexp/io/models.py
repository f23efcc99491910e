"""Fitted models on disk: a folder of ``model.json`` and ``weights.safetensors``; no pickle."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mclstexp.core import keys
from mclstexp.core.adaptation import Adaptation
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.options import build, typed_options
from mclstexp.core.predictor import Predictor, State, options
from mclstexp.core.tiles import TileSpec
from mclstexp.core.wording import shown
from mclstexp.io.guard import reading
from mclstexp.io.model_folder import DESCRIPTION, read_json, read_weights, write_folder
from mclstexp.io.remembered import check_expression

__all__ = ["DESCRIPTION", "load_model", "read_description", "save_model"]

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
    state = model._get_state()
    provenance = dict(model.provenance_)
    description = {
        "method": model.name,
        "options": provenance.pop("options"),  # as fitted
        "space": model.space_.to_dict(),
        "spec": dataclasses.asdict(model.spec_),
        "provenance": provenance,
        "state": state.meta,
    }
    arrays = state.arrays if model.adaptation_ is None else {**state.arrays, **model.adaptation_.arrays()}
    write_folder(folder, description, arrays, overwrite=overwrite)
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
    arrays = read_weights(folder, sha256=description["weights_sha256"])
    with reading(folder, f"a saved {name} model"):
        has = {field.name for field in dataclasses.fields(methods[name])}  # type: ignore[arg-type]
        later = {option: value for option, value in _LATER.items() if option in has}
        given = {**later, **description["options"]}
        model = methods[name](**typed_options(methods[name], given, where=f"method {name}"))
        model.space_ = build(ExpressionSpace, description["space"], where=f"{folder}: the space")
        model.spec_ = build(TileSpec, description["spec"], where=f"{folder}: the tiles")
        model.provenance_ = {**description["provenance"], "options": options(model)}
        model.adaptation_, own = Adaptation.of_arrays(arrays, n_genes=len(model.genes_))
        if (model.adaptation_ is None) == (keys.ADAPTED in model.provenance_):
            msg = f"what a model was adapted by expected whole in {folder}, found a part missing: copy it again"
            raise InputError(msg)
        model._set_state(State(arrays=own, meta=description["state"]))
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
    description = read_json(folder)
    with reading(path, "the description of a saved model"):
        other = {"outcome": "one of patients' outcomes: use `cohort predict`", "generation": "a generator of tiles"}
        if (found := description.get("question")) in other:
            msg = f"a model of expression expected in {folder}, found {other[found]}"
            raise InputError(msg)
        for part, kind in _PARTS.items():
            if not isinstance(description[part], kind):  # a missing one is said at once
                found = shown(description[part])
                msg = f"the {part} of a saved model ({_KINDS[kind]}) expected in {path}, found {found}: copy it again"
                raise InputError(msg)
        space = build(ExpressionSpace, description["space"], where=f"{path}: the space")
        build(TileSpec, description["spec"], where=f"{path}: the tiles")
        check_expression(description["provenance"], n_genes=len(space.genes), path=path)
    return description
