"""Fitted generators on disk, in folders like those of any other model; no pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from mclstexp.core.errors import InputError
from mclstexp.core.generator import ROOM, Generator
from mclstexp.io.fitted import load_fitted, read_fitted_description, write_fitted
from mclstexp.io.remembered import check_generation

QUESTION: Final = "generation"


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
    return write_fitted(generator, folder, overwrite=overwrite)


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
    return load_fitted(folder, description, ROOM.method_class(description["method"]))


def read_generator_description(folder: Path | str) -> dict[str, Any]:
    """Read what ``model.json`` says of a generator, without the weights.

    Raises
    ------
    InputError
        As `load_generator`.
    """
    other = f"a generator (mclstexp generate fit) expected in {folder}, found another model: use its own command"
    return read_fitted_description(Path(folder), question=QUESTION, other=other, check=check_generation)
