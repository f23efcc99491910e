"""Methods of one question, as an experiment file names them (``[methods.LABEL]``)."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from mclstexp.core.errors import InputError
from mclstexp.core.method import Method
from mclstexp.core.own_file import load_own_file
from mclstexp.core.room import Room
from mclstexp.evaluation.config import make_in

NOT_OPTIONS: Final = ("method", "preset", "file")
"""Keys of a table [methods.LABEL] that are no options of the method."""


@dataclass(frozen=True)
class RoomMethods(ABC):
    """What experiments of every question beside images say of the methods that they compare."""

    room: ClassVar[Room[Any]]
    """Whose methods are compared."""
    controls: ClassVar[tuple[str, ...]]
    """Methods that stand in every table."""
    example: ClassVar[str]
    """A method, for a message."""

    task: str = ""
    """The question: "impute", "enhance"."""
    title: str = ""
    """What is asked."""
    methods: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Options by label; ``method`` names the method where the label does not, ``preset`` a set of options to start
    from, ``file`` a Python file with a method of one's own."""
    seed: int | None = None
    """Seed of what is hidden (0 by default), and of every method that has one and is not given its own."""

    def make_methods(self) -> dict[str, Method]:
        """Make the methods by label, controls first.

        Raises
        ------
        InputError
            If there is none, or a method or option is not known or does not fit.
        """
        if not self.methods:
            msg = f"at least one method expected, found none: add a table [methods.{self.example}]"
            raise InputError(msg)
        made = {label: self._make(label) for label in self.methods}
        present = {method.name for method in made.values()} | set(made)
        return {**{name: self._control(name) for name in self.controls if name not in present}, **made}

    def make_method(self, label: str) -> Method:
        """Make the one of `make_methods`, alone."""
        return self._make(label) if label in self.methods else self._control(label)

    def _make(self, label: str) -> Method:
        given = self.methods[label]
        named = given.get("method", load_own_file(given["file"], self.room)[1] if "file" in given else label)
        own = {name: value for name, value in given.items() if name not in NOT_OPTIONS}
        method: Method = make_in(self.room, str(named), own, preset=given.get("preset"), common=self._common())
        return method

    def _control(self, name: str) -> Method:
        method: Method = make_in(self.room, name, {}, common=self._common())
        return method

    def _common(self) -> dict[str, Any]:
        return {"seed": self.seed}

    def is_control(self, label: str, method: Method) -> bool:  # noqa: ARG002  for those that say it by the label
        """Whether a row is of a control."""
        return method.name in self.controls
