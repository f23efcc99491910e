"""A command that is killed at any act and run again leaves what an undisturbed one leaves, and no more."""

import os
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are killed in forks")
sys.path.insert(0, str(Path(__file__).parents[1]))
from fuzz.kill import try_command  # noqa: E402
from fuzz.kill_commands import Command  # noqa: E402
from mclstexp.io.atomic import atomic_path  # noqa: E402
from mclstexp.io.working import working_folder, working_path  # noqa: E402
from slowly import slowly  # noqa: E402


def _careful(_, place):
    """Make three pieces, each kept, then all of the result at once; as the commands do."""
    out = place / "out"
    with working_folder(working_path(out), doing="a test") as work:
        work.keep_only("key")
        for number in range(3):
            piece = work.path / f"piece_{number}"
            if not piece.exists():
                with atomic_path(piece, durable=False) as path:
                    path.write_text(f"{number}")
        with atomic_path(out, durable=False) as path:
            path.mkdir()
            for number in range(3):
                (path / f"part_{number}").write_text((work.path / f"piece_{number}").read_text())
    return 0


def _careless(_, place):
    """Write in place, and do nothing where something is."""
    if not (place / "out").exists():
        with (place / "out").open("w") as file:
            for name in "abc":
                (place / name).touch()
                file.write(name)
    return 0


def _failing(_, place):
    if not any(place.iterdir()):
        with (place / "out").open("w"), (place / "other").open("w"):
            return 0
    return 2


@pytest.mark.parametrize("run", [slowly(_careful), _careless, slowly(_failing)])
def test_only_what_comes_back_whole_is_passed(run, tmp_path):
    tally = try_command(Command(run.__name__, run), tmp_path, n_kills=8, seed=0)
    assert tally.n_kills == 8
    assert tally.n_died >= 6, "three of four are killed at an act"
    assert bool(tally.faults) == (run is not _careful), tally.faults


@pytest.mark.slow
def test_what_lies_there_before_comes_back_too(tmp_path):
    def before(_, place):
        (place / "out").mkdir()
        (place / "out" / "part_9").write_text("old")

    tally = try_command(Command("again", _careful, before), tmp_path, n_kills=8, seed=1)
    assert (tally.n_kills, tally.faults) == (8, ())
