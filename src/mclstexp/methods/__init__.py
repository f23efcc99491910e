"""What we compare: one file per method; a file saved here is a method everywhere."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from mclstexp.core.errors import InputError
from mclstexp.core.options import suggest
from mclstexp.core.predictor import Predictor, registered

ENTRY_POINTS = "mclstexp.methods"
"""Entry-point group under which other packages offer methods."""


def list_methods() -> dict[str, type[Predictor]]:
    """Return every known method by name: those of this folder and those other packages offer."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    for entry in entry_points(group=ENTRY_POINTS):
        entry.load()
    return registered()


def create(name: str, *, preset: str | None = None, **options: Any) -> Predictor:
    """Make an unfitted method.

    Parameters
    ----------
    name
        A name of `list_methods()`.
    preset
        A named set of options to start from, such as "published"; the method's defaults without one.
    options
        Its options by name; they count for more than the preset's.

    Raises
    ------
    InputError
        If the method, the preset or an option is unknown; the message names the nearest.
    """
    cls = method_class(name)
    known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    for option in options:
        if option not in known:
            msg = f"method {name} has no option {option!r}: {suggest(option, known)}"
            raise InputError(msg)
    return cls(**{**preset_options(name, preset), **options})


def load_method_file(path: Path | str) -> str:
    """Run a Python file with one ``@register``ed class; afterwards the method is known like any other.

    Parameters
    ----------
    path
        The file. It is code, and is run: give only what you trust.

    Returns
    -------
    The name it is registered under.

    Raises
    ------
    InputError
        If there is no such file, it cannot be run, or it registers no method or several.
    """
    path = Path(path).resolve()
    if not path.is_file():
        msg = f"a Python file with a method expected at {path}, found none: check the path"
        raise InputError(msg)
    module_name = f"mclstexp_methods_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        msg = f"a Python file (.py) with a method expected, found {path}"
        raise InputError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a script may end its process
        del sys.modules[module_name]
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        msg = f"a Python file that runs expected, found {path} with an error ({reason}): correct it"
        raise InputError(msg) from error
    names = [name for name, cls in registered().items() if cls.__module__ == module_name]
    if len(names) != 1:
        msg = f"one class with @register expected in {path}, found {len(names)}: keep one method in a file"
        raise InputError(msg)
    if names[0] in _own_names():  # which may not have been imported yet
        msg = f"a free name for the method in {path} expected, found {names[0]!r}, one of this package: choose another"
        raise InputError(msg)
    return names[0]


def method_class(name: str) -> type[Predictor]:
    """Return the class registered under `name`.

    Raises
    ------
    InputError
        If there is none; the message names the nearest.
    """
    if name not in registered() and name in _own_names():
        importlib.import_module(f"{__name__}.{name}")  # alone: others bring libraries that take seconds to import
    methods = registered()
    if name not in methods:
        methods = list_methods()
    if name not in methods:
        msg = f"a known method expected, found {name!r}: {suggest(name, methods)}"
        raise InputError(msg)
    return methods[name]


def _own_names() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(__path__)}


def preset_options(name: str, preset: str | None) -> dict[str, Any]:
    """Return the options of a method's preset; none of no preset.

    Raises
    ------
    InputError
        If the method has no such preset.
    """
    if preset is None:
        return {}
    presets = method_class(name).presets
    if preset not in presets:
        known = suggest(preset, presets) if presets else "it has none"
        msg = f"method {name} has no preset {preset!r}: {known}"
        raise InputError(msg)
    return dict(presets[preset])
