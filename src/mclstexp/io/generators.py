"""Fitted generators on disk, in folders like those of any other model; no pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from mclstexp.core.errors import InputError
from mclstexp.core.generator import ROOM, Generator
from mclstexp.core.method import State, options
from mclstexp.core.options import typed_options
from mclstexp.core.wording import shown
from mclstexp.io.guard import reading
from mclstexp.io.model_folder import DESCRIPTION, read_json, read_weights, write_folder
from mclstexp.io.remembered import check_generation

QUESTION: Final = "generation"
_PARTS: Final[dict[str, type]] = {
    "method": str,
    "options": dict,
    "provenance": dict,
    "state": dict,
    "weights_sha256": str,
}


def save_generator(generator: Generator, folder: Path | str, *, overwrite: bool = False) -> Path:
    """Write a fitted generator; the folder appears whole or not at all.

    Parameters
    ----------
    generator
        Any fitted one.
    folder
        Where to; made here.
    overwrite
        Whether a model that is already there is replaced. Anything else there is left alone.

    Raises
    ------
    InputError
        If the generator is not fitted, something is in the way, or the place cannot be written to.
    """
    folder = Path(folder)
    if not generator.is_fitted:
        msg = f"a fitted generator expected, found {generator.name} before fit: call fit(sections) first"
        raise InputError(msg)
    state, provenance = generator.get_state(), dict(generator.provenance_)
    description = {
        "question": provenance.pop("question"),
        "method": generator.name,
        "options": provenance.pop("options"),  # as fitted
        "provenance": provenance,
        "state": state.meta,
    }
    write_folder(folder, description, state.arrays, overwrite=overwrite)
    return folder


def load_generator(folder: Path | str) -> Generator:
    """Read a generator that `save_generator` wrote; it paints the very pictures it painted before.

    Raises
    ------
    InputError
        If there is no model, it is one of another question or damaged, its format is newer than this version's, or its
        method is not known.
    """
    folder = Path(folder)
    description = read_generator_description(folder)
    name = description["method"]
    cls = ROOM.method_class(name)
    arrays = read_weights(folder, sha256=description["weights_sha256"])
    with reading(folder, f"a saved {name} model"):
        generator: Generator = cls(**typed_options(cls, description["options"], where=f"method {name}"))
        generator.set_state(State(arrays, description["state"]))
        said = {**description["provenance"], "question": QUESTION, "options": options(generator)}
        generator.provenance_ = said
    return generator


def read_generator_description(folder: Path | str) -> dict[str, Any]:
    """Read what ``model.json`` says of a generator, without the weights.

    Raises
    ------
    InputError
        As `load_generator`.
    """
    folder = Path(folder)
    description, path = read_json(folder), folder / DESCRIPTION
    with reading(path, "the description of a saved model"):
        if description.get("question") != QUESTION:
            msg = f"a generator (mclstexp generate fit) expected in {folder}, found another model: use its own command"
            raise InputError(msg)
        for part, kind in _PARTS.items():
            if not isinstance(description[part], kind):  # a missing one is said at once
                msg = f"the {part} of a saved model expected in {path}, found {shown(description[part])}: copy it again"
                raise InputError(msg)
        check_generation(description["provenance"], path=path)
    return description
