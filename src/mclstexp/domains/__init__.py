"""Which regions a section has: one file per method; a file saved here is a method everywhere."""

from __future__ import annotations

from typing import Any

from mclstexp.core.domain_finder import ROOM, DomainFinder

DEFAULT = "kmeans"


def list_domain_finders() -> dict[str, type[DomainFinder]]:
    """Return every known method that finds domains by name."""
    return ROOM.methods()


def create_domain_finder(name: str = DEFAULT, *, preset: str | None = None, **options: Any) -> DomainFinder:
    """Make a method that finds domains.

    Raises
    ------
    InputError
        If the method, the preset or an option is unknown; the message names the nearest.
    """
    return ROOM.create(name, preset=preset, **options)
