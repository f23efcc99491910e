"""Flags of whole numbers: a fraction is refused, and not rounded in silence to another request."""

import pytest

from mclstexp.cli import run


@pytest.mark.parametrize(
    "words",
    [
        ["enhance", "x.h5ad", "--out", "y.h5ad", "--factor", "2.5"],
        ["domains", "x.h5ad", "--out", "y.h5ad", "--k", "1.5"],
        ["evaluate", "x.toml", "--out", "y", "--jobs", "inf"],
        ["predict", "run", "data", "--out", "y", "--seed", "0.5"],
        ["validate", "data", "--bin-um", "7.5"],
        ["generate", "slide", "g", "d", "--out", "y", "--rows", "nan"],
        ["cohort", "evaluate", "x.csv", "--out", "y", "--seed", "many"],
    ],
)
def test_a_fraction_is_no_whole_number(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    said = capsys.readouterr().err
    assert "a whole number expected as" in said
    assert words[-1] in said
    assert list(tmp_path.iterdir()) == []


def test_a_whole_number_may_be_written_with_a_point(capsys):
    assert run(["enhance", "nothing.h5ad", "--out", "y.h5ad", "--factor", "2.0"]) == 2
    assert "whole number" not in capsys.readouterr().err
