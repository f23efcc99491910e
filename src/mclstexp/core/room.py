"""A room: the methods of one question, found by name; one file per method."""

from __future__ import annotations

import importlib.util
import pkgutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import fields
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from pydantic.errors import PydanticSchemaGenerationError

from mclstexp.core.errors import InputError
from mclstexp.core.method import Method
from mclstexp.core.options import suggest, typed_options, with_options

M = TypeVar("M", bound=Method)
C = TypeVar("C", bound=Method)


class Room(Generic[M]):
    """The methods that answer one question.

    Parameters
    ----------
    package
        Where their files lie, as "mclstexp.imputation"; a file that registers a class there is a method. Other packages
        offer methods by entry points of a group of that name.
    question
        What they answer, for messages: "imputation". Nothing for images, whose methods are meant where nothing is said.
    """

    def __init__(self, package: str, *, question: str = "") -> None:
        self.package, self.question = package, question
        self._of = f" of {question}" if question else ""
        self._known: dict[str, type[M]] = {}

    def register(self, name: str) -> Callable[[type[C]], type[C]]:
        """Class decorator: make a method known under `name` to the command line, the tests and the docs.

        Raises
        ------
        ValueError
            If another class already carries the name.
        """

        def decorate(cls: type[C]) -> type[C]:
            known = self._known.get(name)
            if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
                msg = f"method name {name!r}{self._of} is taken by {known.__module__}.{known.__qualname__}"
                raise ValueError(msg)
            cls.name = name
            self._known[name] = cls  # type: ignore[assignment]  # a room registers its own kind
            return cls

        return decorate

    def registered(self) -> dict[str, type[M]]:
        """Return the methods registered so far, by name (`methods` imports them all first)."""
        return dict(sorted(self._known.items()))

    def methods(self) -> dict[str, type[M]]:
        """Return every method by name: those of the room's files and those that other packages offer."""
        for name in sorted(self.own_names()):
            importlib.import_module(f"{self.package}.{name}")
        for entry in entry_points(group=self.package):
            entry.load()
        return self.registered()

    def has(self, name: str) -> bool:
        """Whether a method is known by this name."""
        return name in self.methods()

    def own_names(self) -> set[str]:
        """Return the names of the room's files, those of its methods among them; nothing is imported for it."""
        home = importlib.import_module(self.package)
        return {module.name for module in pkgutil.iter_modules(home.__path__)}

    def ready(self) -> dict[str, type[M]]:
        """Return the methods whose extras are installed."""
        return {name: cls for name, cls in self.methods().items() if all(map(importlib.util.find_spec, cls.needs))}

    def method_class(self, name: str) -> type[M]:
        """Return the class registered under `name`.

        Raises
        ------
        InputError
            If there is none; the message names the nearest.
        """
        if name not in self._known and name in self.own_names():
            importlib.import_module(f"{self.package}.{name}")  # alone: others bring libraries that take seconds
        if name not in self._known:
            known = self.methods()
            if name not in known:
                msg = f"a known method{self._of} expected, found {name!r}: {suggest(name, known)}"
                raise InputError(msg)
        return self._known[name]

    def preset_options(self, name: str, preset: str | None) -> dict[str, Any]:
        """Return the options of a method's preset; none of no preset.

        Raises
        ------
        InputError
            If the method has no such preset.
        """
        if preset is None:
            return {}
        presets = self.method_class(name).presets
        if preset not in presets:
            known = suggest(preset, presets) if presets else "it has none"
            msg = f"method {name} has no preset {preset!r}: {known}"
            raise InputError(msg)
        return dict(presets[preset])

    def create(self, name: str, *, preset: str | None = None, **options: Any) -> M:
        """Make a method; options count for more than its preset's.

        Raises
        ------
        InputError
            If the method, the preset or an option is unknown (the message names the nearest), or an option's value is
            not of its type.
        """
        cls = with_options(self.method_class(name))
        _check_options(name, options, known=[field.name for field in fields(cls)])  # type: ignore[arg-type]
        with suppress(NameError, PydanticSchemaGenerationError):  # of a type that nobody else can read
            options = typed_options(cls, options, where=f"method {name}")
        return cls(**{**self.preset_options(name, preset), **options})


def _check_options(name: str, given: Iterable[str], *, known: list[str]) -> None:
    for option in given:
        if option not in known:
            how = suggest(option, known) if known else "it has none"
            msg = f"method {name} has no option {option!r}: {how}"
            raise InputError(msg)
