"""Whole numbers on the command line: a fraction is refused, where cyclopts would round it."""

from __future__ import annotations

from types import NoneType
from typing import Any, get_args

from cyclopts import App, ArgumentCollection

from mclstexp.core.errors import InputError


def require_whole(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Refuse a fraction where only a whole number is taken; for ``App(config=…)``, which is asked before conversion.

    Raises
    ------
    InputError
        If a word with a fraction was given for an option, or a place, of whole numbers; or a seed is below 0.
    """
    for argument in arguments:
        for token in argument.tokens if _is_whole(argument.hint) else ():
            if _has_fraction(token.value):
                msg = f"a whole number expected for {token.keyword or argument.name}, found {token.value}"
                raise InputError(msg)
            if token.keyword == "--seed" and token.value.startswith("-"):
                msg = f"a seed of 0 or more expected for --seed, found {token.value}"
                raise InputError(msg)


def _is_whole(hint: Any) -> bool:
    """Whether a hint takes whole numbers alone: ``int``, ``int | None``, ``list[int]``."""
    return hint is int or {*get_args(hint)} - {NoneType} == {int}


def _has_fraction(word: str) -> bool:
    try:
        return not float(word).is_integer()
    except ValueError:  # no decimal number: cyclopts reads it, or says that it cannot
        return False
