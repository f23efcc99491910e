"""Options by which methods of the questions beside images take no time, so that all can be put to the same tests.

They lie in `small/neighbours/QUESTION.toml`, a table for each method that needs some; ``slow = true`` marks it slow.
"""

import tomllib
from functools import partial
from pathlib import Path

import pytest

from mclstexp.core.rooms import NEIGHBOURS
from mclstexp.evaluation.config import make_in
from small_methods import ENCODER

_FOLDER = Path(__file__).parent / "small" / "neighbours"


def neighbours():
    """Every method of the questions beside images, as parameters (room, what makes the method)."""
    return [
        pytest.param(room, _maker(room, name), id=f"{question}.{name}", marks=_marks(question, name))
        for question, room in NEIGHBOURS.items()
        for name in room.methods()
    ]


def _maker(room, name):
    options = {key: value for key, value in _options(room.question, name).items() if key != "slow"}
    return partial(make_in, room, name, options, common={"encoder": ENCODER})


def _marks(question, name):
    slow = [pytest.mark.slow] if _options(question, name).get("slow") else []
    lacking = name not in NEIGHBOURS[question].ready()
    return [*slow, pytest.mark.skip(reason=f"{name} needs an extra that is not installed")] if lacking else slow


def _options(question, name):
    path = _FOLDER / f"{question}.toml"
    return tomllib.loads(path.read_text()).get(name, {}) if path.is_file() else {}
