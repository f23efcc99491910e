"""Correlations are numpy's, in an order that shows groups; what varies in space is found or said not to be."""

import numpy as np
import pandas as pd
import pytest

from made_pairs import made_pair, smooth_maps, square
from mclstexp.analysis.structure import gene_correlations, recover_svgs, spatial_variability
from mclstexp.core.errors import InputError
from mclstexp.data.autocorrelation import morans_i
from mclstexp.evaluation.structure import svg_recovery

ARRAY = square(9)


def _grouped(seed=0):
    """Genes in two groups that alternate, 16 by 16, and four without pattern; the first four are predicted well."""
    rng = np.random.default_rng(seed)
    maps = 0.2 * rng.normal(size=(81, 36))
    two = smooth_maps(rng, ARRAY, 2)
    maps[:, :32] += 0.8 * two[:, np.arange(32) % 2] * np.linspace(1, 0.2, 32)
    guess = rng.normal(size=maps.shape)
    guess[:, :4] = maps[:, :4]
    return maps, guess


@pytest.fixture(scope="module")
def pairs():
    made = [_grouped(0), _grouped(1)]
    made[0][0][:, 35] = -50  # never measured on the first section
    made[0][1][:, 34] = made[1][1][:, 34] = 0.7  # predicted constant
    return [made_pair(*maps, id=f"S{n}", patient="P", seed=n) for n, maps in enumerate(made)]


def test_correlations_are_the_mean_of_the_sections(pairs):
    genes = [f"G{i}" for i in (0, 5, 2, 35, 34)]
    truth, predicted = gene_correlations(pairs, genes=genes)
    assert set(truth.index) == set(genes)
    for table in (predicted, predicted.T, truth.T):
        assert list(table.columns) == list(truth.index)
    of_truth = [np.corrcoef(pair.truth[:, [0, 5]].T)[0, 1] for pair in pairs]
    assert truth.loc["G0", "G5"] == pytest.approx(np.mean(of_truth), abs=1e-6)
    assert predicted.loc["G2", "G5"] == pytest.approx(np.mean([np.corrcoef(p.guess[:, [2, 5]].T)[0, 1] for p in pairs]))
    only = np.corrcoef(pairs[1].truth[:, [0, 35]].T)[0, 1]
    assert truth.loc["G0", "G35"] == pytest.approx(only, abs=1e-6), "of the section that has it"
    assert predicted["G34"].isna().all()
    np.testing.assert_allclose(np.diag(truth), 1)


def test_genes_that_go_together_lie_together(pairs):
    truth, _ = gene_correlations(pairs, genes=[f"G{i}" for i in range(12)])
    group = [int(name[1:]) % 2 for name in truth.index]
    assert np.abs(np.diff(group)).sum() == 1


def test_the_genes_with_most_counts_are_taken_by_default(pairs):
    counts = pd.DataFrame(sum(pair.section.counts.X.toarray().sum(axis=0) for pair in pairs), pairs[0].genes)[0]
    assert set(gene_correlations(pairs, n_genes=7)[0].index) == set(counts.nlargest(7).index)


@pytest.mark.parametrize(
    ("genes", "found"), [(["G0", "ACTB"], "found 'ACTB'"), (["G0", "G0"], "1 of 2 names"), (["G0"], "1 of 1")]
)
def test_genes_that_cannot_be_correlated_are_said(pairs, genes, found):
    with pytest.raises(InputError, match=found):
        gene_correlations(pairs, genes=genes)


def test_variability_is_morans_i_of_both(pairs):
    table = spatial_variability(pairs).set_index(["section", "gene"])
    assert len(table) == 72
    first = table.loc["S0"]
    np.testing.assert_allclose(first["moran_truth"], morans_i(pairs[0].truth, pairs[0].weights))
    varied = first.drop(["G34", "G35"])
    np.testing.assert_allclose(varied["moran_predicted"], morans_i(pairs[0].guess[:, :34], pairs[0].weights))
    assert first.loc["G34", "moran_predicted"] == 0, "what is predicted constant has no pattern"
    assert first.loc["G35", ["moran_truth", "moran_predicted"]].isna().all()
    assert not first.loc["G35", ["svg_truth", "svg_predicted", "svg_spread"]].any()


def test_recovery_is_that_of_the_evaluation(pairs):
    table = recover_svgs(pairs, n_genes=3)
    assert table["section"].tolist() == ["S0", "S1"]
    assert table["n_genes"].tolist() == [35, 36]
    assert table["n_svg"].tolist() == [3, 3]
    for pair, share in zip(pairs, table["share"], strict=True):
        assert share == svg_recovery(pair.truth, pair.guess, weights=pair.weights, n_genes=3)
    assert table["by_chance"].tolist() == [3 / 35, 3 / 36]
    assert (table["share"] == table["n_found"] / 3).all()
    assert (table["share"] > 0.6).all()
    perfect = type(pairs[1])(pairs[1].section, pairs[1].predicted.copy())
    perfect.predicted.X = pairs[1].truth
    assert recover_svgs([perfect])[["share", "spearman"]].to_numpy().tolist() == [[1, pytest.approx(1)]]


def test_a_smooth_map_of_everything_is_no_recovery_but_its_spread_can_be():
    maps, _ = _grouped(2)
    smooth = smooth_maps(np.random.default_rng(3), ARRAY, 36) * np.where(np.arange(36) < 3, 1, 0.1)
    smooth[:, :3] += maps[:, :3]  # rougher than all others, and the only ones that say much
    row = recover_svgs([made_pair(maps, smooth)], n_genes=3).iloc[0]
    assert row["share"] < 0.5
    assert row["share_by_spread"] > 0.6
    assert row["spearman_spread"] > row["spearman"]
    table = spatial_variability([made_pair(maps, smooth)])
    np.testing.assert_allclose(table["spread_predicted"], smooth.std(axis=0), rtol=1e-5)
    assert table["svg_spread"].sum() == 3


def test_nothing_measured_gives_no_number():
    nothing = made_pair(np.full((81, 3), -50.0), np.ones((81, 3)))
    row = recover_svgs([nothing]).iloc[0]
    assert row[["n_genes", "n_svg", "n_found"]].tolist() == [0, 0, 0]
    numbers = ["share", "share_by_spread", "by_chance", "spearman", "spearman_spread", "moran_truth"]
    assert row[numbers].isna().all()
