"""What is tried and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, Literal

Verdict = Literal["read", "refused", "fault"]

MAX_SENTENCE: Final = 320
"""Characters of a message: about 300, and room for a path."""


@dataclass(frozen=True)
class Target:
    """A door that reads files."""

    name: str
    """What it is called on the command line."""
    make: Callable[[Path], None]
    """Writes good inputs: a folder for each variant, below the folder given, which is empty."""
    use: Callable[[Path], Any]
    """Reads a variant's folder; what it returns is compared where the target is `exact`."""
    files: tuple[str, ...] = ("**/*",)
    """Which files of a variant are damaged."""
    exact: bool = False
    """Whether the result must be that of the undamaged folder: state and caches, which are made again."""
    mend: Callable[[Path, Random], None] | None = None
    """Makes a damaged folder look whole at first sight (a checksum over the damage), half of the time."""


@dataclass(frozen=True)
class Case:
    """One damaged input; the same three words give the same one again."""

    target: str
    """The door."""
    number: int
    """Which of its cases."""
    seed: int
    """Of the campaign."""

    def random(self) -> Random:
        """Return its source of chance, the same on every machine."""
        return Random(f"{self.seed}:{self.target}:{self.number}")


@dataclass(frozen=True)
class Outcome:
    """What came of a case."""

    case: Case
    """Which."""
    verdict: Verdict
    """"read" and "refused" are right answers."""
    damage: str
    """What was done to the input."""
    said: str
    """The sentence, or what went wrong."""
    where: str = ""
    """For a fault: the last place in the package's own code."""
    seconds: float = 0.0
    """How long it took."""
