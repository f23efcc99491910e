"""A room: the methods of one question, found by name; one file per method."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, Generic, TypeVar

from mclstexp.core.errors import InputError
from mclstexp.core.method import Method
from mclstexp.core.options import suggest

M = TypeVar("M", bound=Method)
C = TypeVar("C", bound=Method)


class Room(Generic[M]):
    """The methods that answer one question.

    Parameters
    ----------
    package
        Where their files lie, as "mclstexp.imputation"; a file that registers a class there is a method.
    question
        What they answer, for messages: "imputation".
    """

    def __init__(self, package: str, *, question: str) -> None:
        self.package, self.question = package, question
        self._known: dict[str, type[M]] = {}

    def register(self, name: str) -> Callable[[type[C]], type[C]]:
        """Class decorator: make a method known under `name`.

        Raises
        ------
        ValueError
            If another class already carries the name.
        """

        def decorate(cls: type[C]) -> type[C]:
            known = self._known.get(name)
            if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
                msg = f"name {name!r} of a method of {self.question} is taken by {known.__module__}"
                raise ValueError(msg)
            cls.name = name
            self._known[name] = cls  # type: ignore[assignment]  # a room registers its own kind
            return cls

        return decorate

    def methods(self) -> dict[str, type[M]]:
        """Return every method by name, once all files of the room are imported."""
        home = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(home.__path__, f"{self.package}."):
            importlib.import_module(module.name)
        return dict(sorted(self._known.items()))

    def method_class(self, name: str) -> type[M]:
        """Return the class registered under `name`.

        Raises
        ------
        InputError
            If there is none; the message names the nearest.
        """
        if name not in self._known:
            known = self.methods()
            if name not in known:
                msg = f"a known method of {self.question} expected, found {name!r}: {suggest(name, known)}"
                raise InputError(msg)
        return self._known[name]

    def create(self, name: str, *, preset: str | None = None, **options: Any) -> M:
        """Make a method; options count for more than its preset's.

        Raises
        ------
        InputError
            If the method, the preset or an option is unknown; the message names the nearest.
        """
        cls = self.method_class(name)
        if preset is not None and preset not in cls.presets:
            known = suggest(preset, cls.presets) if cls.presets else "it has none"
            msg = f"method {name} has no preset {preset!r}: {known}"
            raise InputError(msg)
        _check_options(name, options, known=[field.name for field in fields(cls)])  # type: ignore[arg-type]
        return cls(**{**(cls.presets[preset] if preset else {}), **options})


def _check_options(name: str, given: Iterable[str], *, known: list[str]) -> None:
    for option in given:
        if option not in known:
            how = suggest(option, known) if known else "it has none"
            msg = f"method {name} has no option {option!r}: {how}"
            raise InputError(msg)
