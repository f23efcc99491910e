"""The doors, by name: one file per room of the house that reads from outside."""

from __future__ import annotations

from typing import Final

from fuzz.case import Target
from fuzz.targets import lists, models, outcomes, questions, results, sections, slides, states

TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for room in (sections, slides, models, outcomes, lists, results, states, questions)
    for target in room.TARGETS
}
"""All of them."""
