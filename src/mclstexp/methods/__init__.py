"""What we compare: one file per method; a file saved here is a method everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mclstexp.core.own_file import load_own_file
from mclstexp.core.predictor import ROOM, Predictor

ENTRY_POINTS = ROOM.package
"""Entry-point group under which other packages offer methods."""


def list_methods() -> dict[str, type[Predictor]]:
    """Return every known method by name: those of this folder and those other packages offer."""
    return ROOM.methods()


def create(name: str, *, preset: str | None = None, **options: Any) -> Predictor:
    """Make an unfitted method.

    Parameters
    ----------
    name
        A name of `list_methods()`.
    preset
        A named set of options to start from, such as "published"; the method's defaults without one.
    options
        Its options by name; they count for more than the preset's.

    Raises
    ------
    InputError
        If the method, the preset or an option is unknown; the message names the nearest.
    """
    return ROOM.create(name, preset=preset, **options)


def load_method_file(path: Path | str) -> str:
    """Run a Python file with one ``@register``ed class; afterwards the method is known like any other.

    Parameters
    ----------
    path
        The file. It is code, and is run: give only what you trust.

    Returns
    -------
    The name it is registered under.

    Raises
    ------
    InputError
        If there is no such file, it cannot be run, or it registers no method or several.
    """
    return load_own_file(path, ROOM)[1]


def method_class(name: str) -> type[Predictor]:
    """Return the class registered under `name`.

    Raises
    ------
    InputError
        If there is none; the message names the nearest.
    """
    return ROOM.method_class(name)


def preset_options(name: str, preset: str | None) -> dict[str, Any]:
    """Return the options of a method's preset; none of no preset.

    Raises
    ------
    InputError
        If the method has no such preset.
    """
    return ROOM.preset_options(name, preset)
