"""Values that nobody expects, for every kind of file."""

from __future__ import annotations

from random import Random
from typing import Any, Final

TEXTS: Final = (
    "",
    " ",
    "nan",
    "inf",
    "-1",
    "0",
    "1e400",
    "99999999999999999999999",
    "x" * 5000,
    "../../../etc/passwd",
    "\u202egnp.exe",
    "a\x00b",
    "a\nb",
    "<b onload=alert(1)>",
    "=1+1",
    "ü µ 🧬",
    "1,5",
    "1;2",
    "None",
    "true",
)
"""As text."""


def any_value(chance: Random) -> Any:
    """Return a value that JSON can hold."""
    kind = chance.randrange(8)
    if kind == 0:
        return chance.choice(TEXTS)
    if kind == 1:
        return chance.choice((0, -1, 1, 2**31, 2**63, 2**70, -(2**63)))
    if kind == 2:
        return chance.choice((0.0, -0.5, 1e-300, 1e308, float("nan"), float("inf"), -float("inf")))
    if kind == 3:
        return chance.choice((None, True, False))
    if kind == 4:
        return [any_value(chance) for _ in range(chance.randrange(3))]
    if kind == 5:
        return {chance.choice(TEXTS): chance.choice(TEXTS)}
    if kind == 6:
        return deep(chance.choice((3, 60)))
    return chance.choice(TEXTS)


def deep(levels: int) -> Any:
    """Return a list in a list in a list."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value
