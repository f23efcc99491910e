"""What lies between the spots: one file per method; a file saved here is a method everywhere."""

from __future__ import annotations

from typing import Any

from mclstexp.core.enhancer import ROOM, Enhancer

DEFAULT = "kriging"


def list_enhancers() -> dict[str, type[Enhancer]]:
    """Return every known method of enhancement by name."""
    return ROOM.methods()


def create_enhancer(name: str = DEFAULT, **options: Any) -> Enhancer:
    """Make a method of enhancement.

    Raises
    ------
    InputError
        If the method or an option is unknown; the message names the nearest.
    """
    return ROOM.create(name, **options)
