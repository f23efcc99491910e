"""What sections leave to be predicted: genes of a pattern of their own, of depth alone, of noise."""

import numpy as np
import pandas as pd
import pytest

from made_pairs import made_pair, smooth_maps, square
from mclstexp.analysis.predictability import _standardised, predictability, say_predictability
from mclstexp.api.predictability import measure_predictability
from mclstexp.cli import run
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.data.autocorrelation import morans_i, neighbour_weights
from mclstexp.evaluation.config import DataConfig
from small_methods import ENCODER, SPEC, small_sections

KINDS = {"own": 20, "speckled": 20, "depth": 20, "shallow": 20}


@pytest.fixture(scope="module")
def made():
    """Three sections in which twenty genes each have a pattern, differ from spot to spot, follow depth, are rare."""
    sections = []
    for n in range(3):
        rng = np.random.default_rng(n)
        array = square(16)
        depth = 6 * np.exp(0.5 * smooth_maps(rng, array, 1, length=4))
        own = 0.8 * smooth_maps(rng, array, 20, length=2)
        speckled = 0.8 * rng.normal(size=own.shape)
        rates = depth * np.concatenate([np.exp(own), np.exp(speckled), np.ones((256, 20)), np.full((256, 20), 0.01)], 1)
        sections.append(made_pair(np.log(rates), np.zeros(rates.shape), id=f"S{n}", depth=1, seed=n).section)
    return sections


@pytest.fixture(scope="module")
def of_one(made):
    space = ExpressionSpace(tuple(made[0].genes))
    return predictability(made[:1], space=space), space


def _by_kind(table):
    outlook = table["outlook"].reindex([f"G{g}" for g in range(80)]).to_numpy().reshape(4, 20)
    return dict(zip(KINDS, outlook, strict=True))


def test_each_kind_of_gene_is_told_apart(made, of_one):
    for table in (of_one[0], _without_pls(made, of_one[1])):
        found = _by_kind(table)
        assert (found["own"] == "own pattern").mean() >= 0.9
        assert (found["speckled"] == "no pattern").mean() >= 0.8
        assert np.isin(found["depth"], ["depth alone", "hardly measured"]).mean() >= 0.7
        assert (found["depth"] == "own pattern").mean() <= 0.1
        assert np.isin(found["shallow"], ["own pattern"]).sum() == 0


def _without_pls(sections, space):
    from mclstexp.analysis import predictability as module

    table = module._measured(sections, space)
    return table.assign(outlook=module._outlook(table))


def test_one_section_alone_tries_no_model_and_says_so(of_one):
    table = of_one[0]
    assert list(table.columns) == ["ceiling", "ceiling_given_depth", "moran", "q_moran", "outlook"]
    assert table["outlook"].iloc[0] == "own pattern"
    said = say_predictability(table)
    assert said.startswith(f"Of 80 genes {(table['outlook'] == 'own pattern').sum()} could be predicted")
    assert said.endswith("No model was tried, for there is one section alone.")


def test_morans_i_without_order_is_standard_normal():
    weights = neighbour_weights(square(14) * 200)
    z = _standardised(morans_i(np.random.default_rng(0).normal(size=(196, 4000)), weights), weights)
    assert z.mean() == pytest.approx(0, abs=0.05)
    assert z.std() == pytest.approx(1, abs=0.05)


def test_with_several_sections_a_plain_model_is_tried():
    sections = small_sections(2, n_spots_side=8)
    table = predictability(sections, encoder=ENCODER)
    assert {"pls", "pls_given_depth", "pls_verdict"} < set(table.columns)
    assert table["pls"].max() > 0.3
    assert "A plain model of the image (pls, each section left out in turn) reaches half" in say_predictability(table)


def test_too_few_spots_are_refused():
    with pytest.raises(InputError, match="at least 10 spots"):
        predictability(small_sections(1, n_spots_side=3), encoder=ENCODER)


def test_the_command_writes_the_table_and_fits_a_terminal(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(DataConfig, "read", lambda self, spec: made[:1])
    monkeypatch.setenv("COLUMNS", "80")
    genes = tmp_path / "genes.txt"
    genes.write_text("\n".join(f"G{g}" for g in range(80)))
    out = tmp_path / "table.csv"
    words = ["predictability", "DATA", "--out", str(out), "--genes", str(genes)]
    assert run(words) == 0
    printed = capsys.readouterr().out
    assert all(len(line) <= 80 for line in printed.splitlines() if "│" in line)
    assert "own pattern" in printed
    table = pd.read_csv(out, index_col="gene")
    assert len(table) == 80
    assert run(words) == 2
    assert "choose another place or give --overwrite" in capsys.readouterr().err
    assert run([*words, "--overwrite"]) == 0
    with pytest.raises(InputError, match="name a file"):
        measure_predictability(DataConfig("DATA"), tile=SPEC, out=tmp_path)
