"""Options from outside: what files and flags say becomes typed fields, or one sentence says why it cannot."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import difflib
import inspect
import itertools
import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Final, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import TypeAdapter, ValidationError

from mclstexp.core.errors import InputError

T = TypeVar("T")
_SEED = "seed"


_OPTIONS: Final = "Parameters\n----------"


@dataclass(frozen=True)
class Option:
    """A field as a table of options shows it."""

    name: str
    """Its name."""
    type: str
    """Its type as written in the source."""
    default: Any
    """What it is if nothing is said."""
    text: str
    """The sentence under it."""


def describe_options(cls: type) -> list[Option]:
    """Return the fields of a dataclass with the sentences under them."""
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base):
            texts |= _sentences(base)
    return [
        Option(field.name, _type_text(field), _default(field), texts.get(field.name, ""))
        for field in dataclasses.fields(cls)
    ]


def plain_defaults(cls: type) -> dict[str, Any]:
    """Return what each field of a dataclass is if nothing is said."""
    return {field.name: _default(field) for field in dataclasses.fields(cls)}


def with_options(cls: type[T]) -> type[T]:
    """Let ``help(cls)`` show the fields of a dataclass, with their types, defaults and the sentences under them."""
    text = inspect.cleandoc(cls.__doc__ or "")
    if dataclasses.is_dataclass(cls) and _OPTIONS not in text and "Attributes\n---" not in text:
        lines = [
            # a name that ends in _ would be a link where docstrings become pages
            f"{option.name} : {option.type.replace('_]', ']')}, default {option.default!r}\n"
            f"{textwrap.indent(option.text, '    ')}"
            for option in describe_options(cls)
        ]
        cls.__doc__ = "\n".join([text, "", _OPTIONS, *lines])
    return cls


def prose(cls: type) -> str:
    """Return what a class says of itself, without the options that `with_options` put under it."""
    return inspect.cleandoc(cls.__doc__ or "").split(f"\n\n{_OPTIONS}")[0]


def build(cls: type[T], values: Mapping[str, Any], *, where: str) -> T:
    """Make a dataclass from what a file says; parts that are dataclasses are tables in it.

    Raises
    ------
    InputError
        As `typed_options`.
    """
    return cls(**typed_options(cls, values, where=where))


def typed_options(cls: type, values: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Give each of `values` the type of its field; TOML, JSON and pydantic's lax rules decide what fits.

    Parameters
    ----------
    cls
        A dataclass: a method, or a part of a configuration.
    values
        Values by field name, as read from a file.
    where
        Whose they are, for messages.

    Returns
    -------
    The same names, the values converted (a list to a tuple, an integer to a float).

    Raises
    ------
    InputError
        If a name is unknown (the nearest is suggested) or a value does not fit.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}
    hints = get_type_hints(cls)
    typed = {}
    for name, value in values.items():
        if name not in fields:
            msg = f"{where} has no option {name!r}: {suggest(name, fields)}"
            raise InputError(msg)
        try:
            typed[name] = _convert(hints[name], value, where=f"{where}, {name}")
        except ValidationError as error:
            msg = f"{where}: {name} must be {_type_said(hints[name], fields[name])}, found {value!r}"
            raise InputError(msg) from error
        if name == _SEED and isinstance(typed[name], int) and typed[name] < 0:  # numpy takes none
            msg = f"{where}: a seed of 0 or more expected, found {typed[name]}"
            raise InputError(msg)
    return typed


def options_from_text(cls: type, pairs: Sequence[str], *, where: str) -> dict[str, Any]:
    """Read flags ``name=value``; a list is written ``300,600``, nothing chosen ``none``.

    Raises
    ------
    InputError
        As `typed_options`, or if a pair has no ``=``.
    """
    hints = get_type_hints(cls)
    typed: dict[str, Any] = {}
    for name, text in split_pairs(pairs, what="option").items():
        for value in _readings(text, hints.get(name)):
            try:
                typed |= typed_options(cls, {name: value}, where=where)
            except InputError:
                continue
            break
        else:
            typed |= typed_options(cls, {name: text}, where=where)
    return typed


class FixedMapping(dict):
    """A mapping that cannot be changed; a `dict` still, so that it is written to JSON, copied and pickled as one."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        msg = "a mapping given as an option cannot be changed: create a new method"
        raise TypeError(msg)

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type, tuple[dict]]:
        return type(self), (dict(self),)


def fixed(value: Any) -> Any:
    """Return an option's value as one that nobody can change: tuples for lists, copies of mappings, sets and arrays."""
    match value:
        case list() | tuple() if not hasattr(value, "_fields"):  # a named tuple stays one
            return tuple(fixed(part) for part in value)
        case dict():
            return FixedMapping({name: fixed(part) for name, part in value.items()})
        case set():
            return frozenset(value)
        case np.ndarray():
            value = value.copy()
            value.flags.writeable = False
    return value


def without_paths(options: Mapping[str, Any], *, weights: str = "") -> dict[str, Any]:
    """Return options as they may travel: of a path of this machine the file's name alone.

    Parameters
    ----------
    options
        By name.
    weights
        Hash of the weights of the option ``encoder``, which then is ``NAME@weights:HASH`` instead of ``NAME@FILE``.
    """
    said = {name: _without_path(value) for name, value in options.items()}
    encoder = said.get("encoder")
    if weights and isinstance(encoder, str) and "@" in encoder and not encoder.startswith("hf-hub:"):
        said["encoder"] = f"{encoder.partition('@')[0]}@weights:{weights}"
    return said


def _without_path(value: Any) -> Any:
    if isinstance(value, PurePath):
        return value.name
    if not isinstance(value, str) or value.startswith("hf-hub:"):
        return value
    name, at, file = value.rpartition("@")
    local = file.startswith(("~", ".")) or PurePosixPath(file).is_absolute() or bool(PureWindowsPath(file).drive)
    return f"{name}{at}{PureWindowsPath(file).name}" if local or (at and PureWindowsPath(file).name != file) else value


def split_pairs(pairs: Sequence[str], *, what: str) -> dict[str, str]:
    """Split ``name=value`` texts.

    Raises
    ------
    InputError
        If one has no ``=`` or a name comes twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            msg = f"{what} must be written NAME=VALUE, found {pair!r}"
            raise InputError(msg)
        if name in found:
            msg = f"{what} {name!r} must be given once, found {found[name]!r} and {value!r}"
            raise InputError(msg)
        found[name] = value
    return found


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown word: the nearest known one, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(known)}"


def _convert(hint: Any, value: Any, *, where: str) -> Any:
    """Convert a value; tables are built here because pydantic would let unknown keys of a plain dataclass pass."""
    parts = [part for part in (hint, *get_args(hint)) if isinstance(part, type) and dataclasses.is_dataclass(part)]
    if parts and isinstance(value, Mapping):
        if get_origin(hint) is dict:
            return {name: _convert(parts[0], part, where=f"{where}.{name}") for name, part in value.items()}
        return build(parts[0], value, where=where)
    if parts and get_origin(hint) is tuple and isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_convert(parts[0], part, where=f"{where} {number + 1}") for number, part in enumerate(value))
    return TypeAdapter(hint).validate_python(value)


def _readings(text: str, hint: object) -> list[Any]:
    """Return what a flag's text may stand for, the likeliest first."""
    if text.lower() in ("none", "null") and type(None) in get_args(hint):
        return [None]
    readings: list[Any] = [text]
    with contextlib.suppress(json.JSONDecodeError, RecursionError):
        readings.append(json.loads(text))
    return [*readings, text.split(",") if text else []]


def _type_said(hint: Any, field: dataclasses.Field) -> str:
    """Return a type as a message says it: of a choice the words that may be chosen."""
    kinds = [kind for kind in (hint, *get_args(hint)) if get_origin(kind) is Literal]
    if not kinds:
        return _type_text(field)
    *others, last = [repr(choice) for choice in get_args(kinds[0])] + ["nothing"] * (type(None) in get_args(hint))
    return f"{', '.join(others)} or {last}" if others else last


def _type_text(field: dataclasses.Field) -> str:
    name = field.type.__name__ if isinstance(field.type, type) else str(field.type)
    return name.replace("typing.", "")


def _default(field: dataclasses.Field) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _sentences(cls: type) -> dict[str, str]:
    """Read the string under each annotated name from the source; none where there is no source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, SyntaxError):
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    found = {}
    for statement, after in itertools.pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            match after:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[statement.target.id] = inspect.cleandoc(text)
    return found
