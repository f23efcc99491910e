"""What columns of follow-up are called: the unit that a name says, and events that are the contrary of one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from mclstexp.cohort.config import DAYS_PER
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError

_CONTRARY: Final = re.compile(r"(?<!un)censor|(?<!not_)(?<!no_)alive|(?<![a-z])living", re.IGNORECASE)


def require_unit(column: str, unit: str, *, path: Path | str) -> None:
    """Refuse a column of follow-up whose name says another unit: a month taken for a day passes unseen.

    Raises
    ------
    InputError
        If it does.
    """
    said = [name for name in DAYS_PER if name.removesuffix("s") in column.lower()]
    if len(said) == 1 and said[0] != unit:
        msg = (
            f"follow-up in {unit} expected in column {column!r} of {path}, found {said[0]} by its name: "
            f"give {word('unit', said[0])}, or rename the column"
        )
        raise InputError(msg)


def require_events(column: str, *, path: Path | str) -> None:
    """Refuse a column of events whose name says that its 1 is who was cut off, as "censorship" of several codes is.

    Raises
    ------
    InputError
        If it does.
    """
    if found := _CONTRARY.search(column):
        msg = (
            f"a column of events (1: it came) expected in {path}, found {column!r}, whose 1 says {found[0].lower()!r} "
            "by its name: add a column of the contrary, or rename it if 1 is the event"
        )
        raise InputError(msg)
