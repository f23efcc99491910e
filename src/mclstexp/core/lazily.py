"""Names of a package that are imported when they are first used, for torch and others take seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(
    package: str, home: Mapping[str, str], *, modules: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package.

    Parameters
    ----------
    package
        Its name.
    home
        The module within it that holds each public name.
    modules
        Modules within it that are public themselves, by the names they are reached under.
    """
    modules = modules or {}

    def find(name: str) -> Any:
        if name in modules:
            value: Any = import_module(f"{package}.{modules[name]}")
        elif name in home:
            value = getattr(import_module(f"{package}.{home[name]}"), name)
        else:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        if isinstance(value, type):  # then help() shows its fields
            value = import_module("mclstexp.core.options").with_options(value)
        sys.modules[package].__dict__[name] = value
        return value

    return find, lambda: sorted({*home, *modules, *sys.modules[package].__dict__.get("__all__", ())})
