"""What we compare: one file per method; a file saved here is a method everywhere."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from dataclasses import fields
from importlib.metadata import entry_points
from typing import Any

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import Predictor, registered

ENTRY_POINTS = "mclstexp.methods"
"""Entry-point group under which other packages offer methods."""


def list_methods() -> dict[str, type[Predictor]]:
    """Return every known method by name: those of this folder and those other packages offer."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    for entry in entry_points(group=ENTRY_POINTS):
        entry.load()
    return registered()


def create(name: str, **options: Any) -> Predictor:
    """Make an unfitted method.

    Parameters
    ----------
    name
        A name of `list_methods()`.
    options
        Its options by name.

    Raises
    ------
    InputError
        If the method or an option is unknown; the message names the nearest.
    """
    methods = list_methods()
    if name not in methods:
        msg = f"a known method expected, found {name!r}: {_suggest(name, methods)}"
        raise InputError(msg)
    known = [field.name for field in fields(methods[name])]  # type: ignore[arg-type]
    for option in options:
        if option not in known:
            msg = f"method {name} has no option {option!r}: {_suggest(option, known)}"
            raise InputError(msg)
    return methods[name](**options)


def _suggest(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(known)}"
