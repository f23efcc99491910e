"""All rooms: which questions there are, and whose method a name is."""

from __future__ import annotations

from typing import Any, Final

from mclstexp.core import domain_finder, enhancer, generator, imputer, outcome_model, predictor
from mclstexp.core.room import Room

NEIGHBOURS: Final[dict[str, Room[Any]]] = {
    room.question: room
    for room in (imputer.ROOM, enhancer.ROOM, domain_finder.ROOM, outcome_model.ROOM, generator.ROOM)
}
"""The rooms beside that of images, by what their methods answer."""
ROOMS: Final[tuple[Room[Any], ...]] = (predictor.ROOM, *NEIGHBOURS.values())


def room_of(method: str) -> tuple[Room[Any], str]:
    """Return the room of a method, and the method's name there.

    Parameters
    ----------
    method
        As it is written: "imputation.mean", or by the package, "cohort.mmp"; without its question where it is meant
        among images, or is the only one of that name.
    """
    question, _, name = method.rpartition(".")
    for room in NEIGHBOURS.values():
        if question in (room.question, room.package.rpartition(".")[2]):
            return room, name
    if not question and name not in predictor.ROOM.own_names():  # which imports nothing
        for room in NEIGHBOURS.values():
            if room.has(name) and name not in predictor.ROOM.methods():
                return room, name
    return predictor.ROOM, method
