"""Genetic InfoMax retrieves what was measured, and takes genes in the order of a genome where that is given."""

import numpy as np
import pandas as pd
import pytest

from mclstexp.core.errors import InputError
from mclstexp.io.gene_positions import read_gene_positions
from mclstexp.methods import create
from small_methods import ENCODER, small_sections

SMALL = {"encoder": ENCODER, "epochs": 2, "n_components": 8, "n_traits": 6, "dim": 8, "batch_size": 16, "k": 5}


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


@pytest.fixture
def positions(sections, tmp_path):
    genes = list(sections[0].genes)[1:]  # one has none
    rows = [[gene, f"chr{k % 3}", 10**6 * k, 10**6 * k + 500] for k, gene in enumerate(genes)]
    path = tmp_path / "genes.tsv"
    pd.DataFrame(rows).to_csv(path, sep="\t", header=False, index=False)
    return path


def _predict(sections, **options):
    return create("genetic_infomax", **SMALL | options).fit(sections[:2]).predict(sections[2].tiles).X


def test_predictions_are_means_of_measured_expression_and_follow_the_seed(sections):
    model = create("genetic_infomax", **SMALL | {"k": 1, "n_components": None}).fit(sections[:2])
    measured = np.concatenate([model.space_(section.counts) for section in sections[:2]])
    for row in model.predict(sections[2].tiles).X:
        assert np.abs(measured - row).max(axis=1).min() < 1e-6
    assert not np.array_equal(_predict(sections, seed=1), _predict(sections))


def test_genes_in_the_order_of_a_genome_are_another_fit_that_is_saved_without_it(sections, positions):
    given = {"gene_encoder": "genome", "gene_positions": str(positions), "window": 4}
    ordered = _predict(sections, **given)
    assert not np.array_equal(ordered, _predict(sections))
    model = create("genetic_infomax", **SMALL | given).fit(sections[:2])
    assert model.provenance_["numerics"]["gene_positions_sha256"]
    state = model._get_state()
    again = create("genetic_infomax", **SMALL | given)
    again.space_, again.spec_ = model.space_, model.spec_
    positions.unlink()  # the bank's keys are made: predicting needs no order
    again._set_state(state)
    np.testing.assert_array_equal(again._predict(sections[2].tiles), ordered)
    with pytest.raises(InputError, match="gene, chromosome"):
        create("genetic_infomax", **SMALL | given).fit(sections[:2])


def test_positions_are_read_and_slips_are_sentences(positions, tmp_path, sections):
    table = read_gene_positions(positions)
    assert table["chromosome"].unique().tolist() == ["0", "1", "2"]
    assert table["position"].iloc[1] == 1_000_250
    named = tmp_path / "named.csv"
    named.write_text("gene,chromosome,start,end\nA,X,1,3\nA,Y,5,9\n")
    assert read_gene_positions(named).to_dict("index") == {"A": {"chromosome": "X", "position": 2.0}}
    wrong = tmp_path / "wrong.tsv"
    wrong.write_text("A\tchr1\tx\ty\nB\tchr1\tz\t3\n")
    with pytest.raises(InputError, match="base pairs"):
        read_gene_positions(wrong)
    with pytest.raises(InputError, match="take another table"):
        _predict(sections, gene_encoder="genome", gene_positions=str(named))
    for option in ({"gene_encoder": "genome"}, {"temperature": 0.0}, {"window": 0}):
        with pytest.raises(InputError):
            create("genetic_infomax", **option)
