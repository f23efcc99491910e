"""Promises that a method of any question makes, and how promises are put to a method.

Each check takes a subject and raises `AssertionError` with a sentence where the promise is broken.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from mclstexp.core.errors import InputError
from mclstexp.core.method import Method
from mclstexp.core.options import describe_options


class Makes(Protocol):
    """What a subject of any question can do."""

    @property
    def make(self) -> Callable[[], Method]:
        """Makes the method anew, with equal options each time."""
        ...


S = TypeVar("S", bound=Makes)


@dataclass(frozen=True)
class Result:
    """How a check went."""

    name: str
    """What was promised."""
    passed: bool
    """Whether it holds."""
    reason: str
    """What was found instead, "" where it holds."""


def put(checks: Sequence[Callable[[S], None]], subject: S) -> list[Result]:
    """Put a method to checks, one after the other; one that raises has failed."""
    results = []
    for check in checks:
        try:
            check(subject)
            reason = ""
        except Exception as error:  # noqa: BLE001  anybody's method may raise anything
            kind = "" if isinstance(error, AssertionError | InputError) else f"{type(error).__name__}: "
            reason = " ".join(f"{kind}{error}".split())
        results.append(Result((check.__doc__ or "").partition("\n")[0], not reason, reason))
    return results


def options_are_explained(subject: Makes) -> None:
    """Every option has a default and a sentence, the class a docstring, every preset only known options."""
    cls = type(subject.make())
    cls()  # every option has a default
    hold(bool(cls.__doc__), "the class has no docstring")
    bare = [option.name for option in describe_options(cls) if not option.text.endswith((".", ";"))]
    hold(not bare, f"no sentence stands under {', '.join(bare)}")
    known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = [name for preset in cls.presets.values() for name in preset if name not in known]
    hold(not unknown, f"presets name options it has not: {', '.join(unknown)}")


def public_methods_are_the_base_classes(subject: Makes) -> None:
    """The public methods, which check what goes in and comes out, are those of the base class."""
    cls = type(subject.make())
    for place, base in enumerate(cls.__mro__):
        final = [name for name, value in vars(base).items() if getattr(value, "__final__", False)]
        own = [name for name in final for child in cls.__mro__[:place] if name in vars(child)]
        hold(not own, f"{', '.join(own)} of {base.__name__} is final, and is written anew: write the underscored ones")


def hold(promise: bool, sentence: str) -> None:  # noqa: FBT001  a condition, as in assert
    """Raise `AssertionError` with the sentence where the promise is broken."""
    if not promise:
        raise AssertionError(sentence)
