"""No command replaces what is there unless it is told to."""

import pytest

import st_files as files
from mclstexp.cli.application import app

GOES_ON = {
    (
        "cohort",
        "features",
    ): "a file that is there and whole is kept, and one of another slide or encoder is not taken for it",
    ("download",): "what is there and whole is not fetched again",
}
"""Commands that write and ask for no leave, and why they need none."""


def commands(of=app, before=()):
    """The commands and their sub-commands, by name."""
    for name in of:
        if not name.startswith("-"):
            if of[name].default_command is not None:
                yield (*before, name), of[name]
            yield from commands(of[name], (*before, name))


def flags(command):
    return {name for argument in command.assemble_argument_collection() for name in argument.names}


def test_every_command_that_writes_can_be_told_to_replace():
    takes = {name: flags(command) for name, command in commands()}
    asks = {name for name, given in takes.items() if "--overwrite" in given}
    writes = {name for name, given in takes.items() if "--out" in given}
    assert len(writes) > 15
    assert writes - asks == set(GOES_ON)


@pytest.mark.parametrize("command", ["validate", "report"])
def test_what_is_there_is_named_and_kept(command, said, tmp_path):
    files.write_st_folder(tmp_path / "r1")
    target = tmp_path / "out" / ("r1.png" if command == "validate" else "page.html")
    target.parent.mkdir()
    target.write_text("mine")
    if command == "validate":
        words = ("validate", tmp_path / "r1", "--out", tmp_path / "out", "--size-px", "32", "--mpp", "10")
    else:
        words = ("report", tmp_path / "results", "--out", target)
    code, _, errors = said(*words)
    assert code == 2
    assert f"{target} already exists: choose another place or give --overwrite" in errors
    assert target.read_text() == "mine"
    if command == "validate":
        assert said(*words, "--overwrite")[0] == 0
        assert target.read_bytes().startswith(b"\x89PNG")
