"""Notes on sections, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_LISTED: Final = 6


def grouped(notes: Sequence[str], sections: Sequence[str]) -> list[str]:
    """Say once for all sections what is said of several, in the order of its first mention.

    Parameters
    ----------
    notes
        Sentences, those about one section by its name and a colon.
    sections
        Names of the sections.
    """
    of: dict[str, list[str]] = {}
    by_length = sorted(sections, key=len, reverse=True)
    for note in notes:
        name = next((name for name in by_length if note.startswith(f"{name}: ")), "")
        of.setdefault(note.removeprefix(f"{name}: "), []).append(name)
    return [f"{name_all(names)}: {sentence}" if any(names) else sentence for sentence, names in of.items()]


def name_all(found: Sequence[str]) -> str:
    """Join names for a sentence; of many, the first and how many more."""
    if len(found) > _LISTED:
        return f"{', '.join(found[:_LISTED])} and {len(found) - _LISTED} more"
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)
