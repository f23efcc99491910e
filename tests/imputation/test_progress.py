"""Methods that take minutes say how far they are, in a log as at a terminal."""

import pytest

from made_cells import made_cells, made_spots
from mclstexp.imputation import create_imputer
from mclstexp.imputation.expected import expected_scores

SMALL = {"tangram": {"n_steps": 3, "mode": "cluster", "n_clusters": 4}, "spadit": {"max_steps": 3, "n_draws": 1}}


@pytest.mark.parametrize("name", SMALL)
def test_a_log_says_how_far_a_method_is(name, monkeypatch, capsys):
    monkeypatch.setattr("mclstexp.core.progress.SILENT_S", 0.0)
    create_imputer(name, **SMALL[name]).impute(made_spots(30), made_cells(40), genes=["G0"])
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(", ")[0] for line in said] == [f"{name}: step {i} of 3" for i in (1, 2, 3)]
    assert all("loss " in line for line in said)


def test_a_log_says_which_run_of_the_expected_scores_it_is(monkeypatch, capsys):
    monkeypatch.setattr("mclstexp.core.progress.SILENT_S", 0.0)
    expected_scores(create_imputer("mean"), made_spots(30), made_cells(40), targets=("G0",))
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(", ")[0] for line in said] == [f"expected scores of mean: run {i} of 5" for i in range(5)]


def test_what_takes_no_time_says_nothing(capsys):
    create_imputer("gene_ridge").impute(made_spots(30), made_cells(40), genes=["G0"])
    assert capsys.readouterr().err == ""
