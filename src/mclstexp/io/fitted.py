"""What the files of fitted models have in common, whatever question the models answer beside images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, TypeVar

from mclstexp.core.errors import InputError
from mclstexp.core.method import State, options
from mclstexp.core.options import typed_options
from mclstexp.core.wording import shown
from mclstexp.io.guard import reading
from mclstexp.io.model_folder import DESCRIPTION, read_json, read_weights, write_folder

_PARTS: Final[dict[str, type]] = {
    "method": str,
    "options": dict,
    "provenance": dict,
    "state": dict,
    "weights_sha256": str,
}


class Fitted(Protocol):
    """A method that was fitted, and says what it learnt."""

    name: ClassVar[str]
    provenance_: dict[str, Any]

    def get_state(self) -> State:
        """Return all that an answer needs beyond the options."""

    def set_state(self, state: State) -> None:
        """Take back what `get_state` returned."""


F = TypeVar("F", bound=Fitted)


def write_fitted(model: Fitted, folder: Path, *, overwrite: bool) -> Path:
    """Write a fitted model; the folder appears whole or not at all."""
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


def load_fitted(folder: Path, description: Mapping[str, Any], cls: type[F]) -> F:
    """Make the model of a description that was read, with its weights."""
    name = description["method"]
    arrays = read_weights(folder, sha256=description["weights_sha256"])
    with reading(folder, f"a saved {name} model"):
        model = cls(**typed_options(cls, description["options"], where=f"method {name}"))
        model.set_state(State(arrays, description["state"]))
        said = {"question": description["question"], "options": options(model)}  # type: ignore[arg-type]
        model.provenance_ = {**description["provenance"], **said}
    return model


def read_fitted_description(folder: Path, *, question: str, other: str, check: Callable[..., None]) -> dict[str, Any]:
    """Read what ``model.json`` says, without the weights.

    Parameters
    ----------
    folder
        The model's folder.
    question
        What the model must answer.
    other
        What is said of a model of another question.
    check
        Refuses what such a model cannot have remembered, see `io.remembered`.
    """
    description, path = read_json(folder), folder / DESCRIPTION
    with reading(path, "the description of a saved model"):
        if description.get("question") != question:
            raise InputError(other)
        for part, kind in _PARTS.items():
            if not isinstance(description[part], kind):  # a missing one is said at once
                msg = f"the {part} of a saved model expected in {path}, found {shown(description[part])}: copy it again"
                raise InputError(msg)
        check(description["provenance"], path=path)
    return description
