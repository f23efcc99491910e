"""A Python file with a method of one's own: run, and the method known like any other of its room."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from mclstexp.core.errors import InputError
from mclstexp.core.room import Room


def load_own_file(path: Path | str, *rooms: Room[Any]) -> tuple[Room[Any], str]:
    """Run a Python file with one ``@register``ed class; afterwards the method is known like any other.

    Parameters
    ----------
    path
        The file. It is code, and is run: give only what you trust.
    rooms
        Where its method may belong.

    Returns
    -------
    Its room, and the name it is registered under there.

    Raises
    ------
    InputError
        If there is no such file, it cannot be run, or it registers no method or several in these rooms.
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
    found = [(room, name) for room in rooms for name, cls in room.registered().items() if cls.__module__ == module_name]
    if len(found) != 1:
        msg = f"one class with @register expected in {path}, found {len(found)}: keep one method in a file"
        raise InputError(msg)
    room, name = found[0]
    if name in room.own_names():  # which may not have been imported yet
        msg = f"a free name for the method in {path} expected, found {name!r}, one of this package: choose another"
        raise InputError(msg)
    return room, name
