"""Tissue that is painted: one file per method; a file saved here is a method everywhere."""

from __future__ import annotations

from typing import Any

from mclstexp.core.generator import ROOM, Generator

DEFAULT = "diffusion"


def list_generators() -> dict[str, type[Generator]]:
    """Return every known method of generation by name."""
    return ROOM.methods()


def create_generator(name: str = DEFAULT, *, preset: str | None = None, **options: Any) -> Generator:
    """Make a method of generation.

    Parameters
    ----------
    name
        A name of `list_generators()`.
    preset
        A named set of options to start from, such as "full".
    options
        Its options by name; they count for more than the preset's.

    Raises
    ------
    InputError
        If the method, the preset or an option is unknown; the message names the nearest.
    """
    return ROOM.create(name, preset=preset, **options)
