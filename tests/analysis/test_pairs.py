"""Pairs are read back as they were predicted, from the sections they were predicted for."""

import json

import numpy as np
import pytest

from made_pairs import made_results
from mclstexp.analysis.pairs import Pair, default_method, read_pairs, read_record
from mclstexp.core.errors import InputError
from mclstexp.evaluation.results import read_results
from mclstexp.methods.coordinates import Coordinates
from mclstexp.methods.mean import Mean


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    # methods that look at no image need no torch
    methods = {"mean": Mean(), "place, 3": Coordinates(k=3)}
    return made_results(tmp_path_factory.mktemp("evaluation") / "results", methods=methods)


def test_pairs_score_as_the_table_says(results):
    scores = read_results(results)
    pcc = scores[(scores["metric"] == "pcc") & (scores["method"] == "place, 3")].set_index(["section", "gene"])["value"]
    pairs = read_pairs(results, "place, 3")
    assert [pair.id for pair in pairs] == list(read_record(results)["sections"])
    for pair in pairs:
        for gene in range(3):
            expected = np.corrcoef(pair.truth[:, gene], pair.guess[:, gene])[0, 1]
            assert pcc[pair.id, pair.genes[gene]] == pytest.approx(expected, abs=1e-6)


def test_the_method_looked_at_is_none_of_the_controls_if_there_is_another():
    methods = {"mean": {"method": "mean"}, "a": {"method": "pls"}}
    assert default_method({"methods": methods}) == "a"
    assert default_method({"methods": methods | {"mclstexp": {"method": "mclstexp"}}}) == "mclstexp"
    assert default_method({"methods": {"mean": {"method": "mean"}}}) == "mean"


def test_what_does_not_fit_is_said(results, tmp_path):
    with pytest.raises(InputError, match="found 'plaice': name one"):
        read_pairs(results, "plaice")
    with pytest.raises(InputError, match="record of an evaluation"):
        read_pairs(tmp_path)
    pair = read_pairs(results)[0]
    with pytest.raises(InputError, match="another order"):
        Pair(pair.section, pair.predicted[::-1].copy())


def test_other_data_than_those_evaluated_are_refused(results, tmp_path):
    record = json.loads((results / "experiment.json").read_text())
    record["experiment"]["data"]["synthetic"]["seed"] = 1
    (tmp_path / "experiment.json").write_text(json.dumps(record))
    (tmp_path / "predictions").symlink_to(results / "predictions")
    with pytest.raises(InputError, match="found others"):
        read_pairs(tmp_path)
