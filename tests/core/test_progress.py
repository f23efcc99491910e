"""A wait is said where somebody looks on, once, and nowhere else."""

import io
import re
import sys

import pytest

from mclstexp.cli import run
from mclstexp.core import progress
from mclstexp.core.progress import counted, hushed, in_order, is_hushed, known, step


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def _look(monkeypatch):
    """Put a terminal in the place of stderr; called by the test itself, for pytest sets stderr anew after fixtures."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    screen = _Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def _wait(label="embedding a", total=4, unit="tile"):
    with counted(label, total, unit=unit) as on_done:
        for done in range(total):
            on_done(done + 1, "")


def test_a_terminal_shows_a_bar(monkeypatch):
    terminal = _look(monkeypatch)
    _wait()
    assert "embedding a" in terminal.getvalue()


def test_which_of_how_many_is_said(monkeypatch):
    terminal = _look(monkeypatch)
    with in_order(["a", "b", "c"]):
        _wait("embedding b")
    assert "embedding b, 2 of 3" in terminal.getvalue()
    _wait("embedding b")
    assert not progress._order


def test_a_log_hears_of_it_now_and_then(capsys, monkeypatch):
    _wait()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("mclstexp.core.progress.SILENT_S", 0.0)
    _wait(total=2)
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"embedding a: tile 1 of 2, \d+ s left", first)
    assert re.fullmatch(r"embedding a: tile 2 of 2, \d+ s left", second)


def test_a_wait_within_a_wait_is_counted_there(monkeypatch):
    terminal = _look(monkeypatch)
    with counted("outer", 10, unit="tile"):
        known(6, unit="tile")
        _wait("inner", total=4)
        _wait("training", total=3, unit="epoch")
        assert progress._open[0].done == 10
    assert "outer" in terminal.getvalue()
    assert "inner" not in terminal.getvalue()
    assert "training" not in terminal.getvalue()


def test_what_is_cached_flashes_no_bar(monkeypatch):
    terminal = _look(monkeypatch)
    with counted("embedding a", 3, unit="tile"):
        known(3, unit="tile")
    assert terminal.getvalue() == ""


def test_a_step_is_said_at_once_and_only_to_who_looks_on(monkeypatch):
    terminal = _look(monkeypatch)
    step("Reading DATA")
    assert terminal.getvalue() == "Reading DATA …\n"
    with hushed():
        step("Writing")
    monkeypatch.setenv("MCLSTEXP_QUIET", "1")
    step("Writing")
    _wait()
    assert terminal.getvalue() == "Reading DATA …\n"


def test_quiet_is_for_every_command(monkeypatch, tmp_path):
    terminal = _look(monkeypatch)
    assert run(["fit", "mean", str(tmp_path / "none"), "--out", str(tmp_path / "run"), "--quiet"]) == 2
    assert terminal.getvalue().startswith("mclstexp: ")
    assert run(["fit", "mean", str(tmp_path / "none"), "--out", str(tmp_path / "run")]) == 2
    assert "Reading" in terminal.getvalue()
    assert not is_hushed()


def test_an_error_leaves_no_wait_open(monkeypatch):
    _look(monkeypatch)
    with pytest.raises(ZeroDivisionError), hushed(), counted("a", 1, unit="tile"):
        raise ZeroDivisionError
    assert not progress._open
    assert not is_hushed()
