"""Imputation is judged on genes that are hidden from everything, and by the numbers that are said."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from made_cells import made_cells, made_spots, with_noise
from mclstexp.core.errors import InputError
from mclstexp.core.imputer import Imputed, Imputer
from mclstexp.imputation import create_imputer
from mclstexp.imputation.gene_folds import folds_of_genes, genes_to_score
from mclstexp.imputation.gene_knn import GeneKnn
from mclstexp.imputation.judge import (
    METRICS,
    SPLIT_HALF,
    judge_imputation,
    rmse_z,
    score_fold,
    split_half,
    summarise_imputation,
)


@pytest.fixture(scope="module")
def cells():
    return made_cells(120)


@pytest.fixture(scope="module")
def spots():
    return made_spots(80)


@pytest.fixture(scope="module")
def scores(spots, cells):
    methods = {name: create_imputer(name) for name in ("gene_knn", "mean", "depth")}
    return judge_imputation(spots, cells, methods, n_genes=50)


def test_a_method_sees_no_count_of_what_is_hidden(spots, cells):
    shown = []

    @dataclass
    class Looking(Imputer):
        name = "looking"

        def _impute(self, known):
            shown.append(known)
            return Imputed(np.zeros((len(known.spots), len(known.targets))))

    judge_imputation(spots, cells, {"looking": Looking()}, n_genes=50)
    asked = [gene for known in shown[:5] for gene in known.targets]
    assert len(asked) == len(set(asked)) == 50, "each gene is hidden once"
    assert all(not set(known.targets) & set(known.genes) for known in shown)
    folds = folds_of_genes(spots, cells, genes=genes_to_score(spots, cells, n_genes=50), by="cluster")
    for known, fold in zip(shown[5:], folds, strict=True):
        assert not fold.hidden & set(known.genes)
        rest = spots.X.toarray()[:, ~spots.var_names.isin(list(fold.hidden))]
        assert np.allclose(known.depth, np.log(1 + rest.sum(axis=1))), "nor in a total"


def test_hidden_counts_that_are_noise_change_scores_and_no_prediction(spots, cells):
    fold = folds_of_genes(spots, cells, genes=list(spots.var_names), by="cluster")[0]
    said = []

    @dataclass
    class Noting(GeneKnn):
        name = "noting"

        def _impute(self, known):
            said.append(super()._impute(known).values)
            return Imputed(said[-1])

    honest, noisy = (
        score_fold(Noting(), fold, counts, cells)["pcc"] for counts in (spots, with_noise(spots, list(fold.hidden)))
    )
    assert np.array_equal(*said)
    assert noisy.mean() < honest.mean() - 0.3, "what is left is that of the totals, which noise is in"


def test_kin_are_hidden_together(spots, cells):
    genes = list(spots.var_names[::2])
    folds = folds_of_genes(spots, cells, genes=genes, by="cluster", n_folds=5)
    assert sorted(gene for fold in folds for gene in fold.asked) == sorted(genes)
    for fold in folds:
        assert set(fold.asked) <= fold.hidden
    hidden = [gene for fold in folds for gene in fold.hidden]
    assert len(hidden) == len(set(hidden))
    again = folds_of_genes(spots, cells, genes=genes, by="cluster", n_folds=5)
    assert folds == again


def test_scores_are_those_of_the_genes_and_their_means_are_said(scores):
    assert list(scores.columns) == ["method", "hidden_by", "fold", "gene", *METRICS, "split_half", "seconds"]
    assert len(scores) == 3 * 2 * 50
    summary = summarise_imputation(scores)
    assert list(summary.index.unique(0)) == ["gene", "cluster"]
    for how, table in summary.groupby(level=0):
        assert table.index[-1] == (how, SPLIT_HALF)
        assert table["pcc"].iloc[:-1].is_monotonic_decreasing
    knn = scores[(scores["method"] == "gene_knn") & (scores["hidden_by"] == "gene")]
    row = summary.loc[("gene", "gene_knn")]
    assert row["pcc"] == pytest.approx(knn["pcc"].mean())
    assert row["pcc_low"] < row["pcc"] < row["pcc_high"]
    assert summary.loc[("gene", "mean"), ["pcc", "pcc_depth", "spearman"]].tolist() == [0, 0, 0]
    assert summary.loc[("gene", "mean"), "rmse_z"] == pytest.approx(1)
    assert summary.loc[("gene", "depth"), "pcc_depth"] == pytest.approx(0, abs=1e-6), "depth adds nothing to depth"
    assert summary.loc[("gene", SPLIT_HALF), "pcc"] == pytest.approx(
        scores.drop_duplicates("gene")["split_half"].mean()
    )


def test_errors_of_z_scores_worked_by_hand():
    truth = np.array([[1.0, 1], [2, 2], [3, 3]])
    predicted = np.array([[10.0, 5], [20, 5], [30, 5]])
    assert rmse_z(truth, predicted).tolist() == pytest.approx([0, 1])
    assert rmse_z(truth[:, :1], -predicted[:, :1])[0] == pytest.approx(2)


def test_halves_agree_as_far_as_counts_go(spots):
    genes = list(spots.var_names)
    deep = spots.copy()
    deep.X = sparse.csr_matrix(spots.X * 40)
    few, many = split_half(spots, genes), split_half(deep, genes)
    assert (many > few).mean() > 0.95
    assert many.min() > 0.95
    assert np.array_equal(few, split_half(spots, genes))
    matrix = spots.X.toarray()
    matrix[0] = np.eye(100, dtype=int)[5]
    deep.X = sparse.csr_matrix(matrix)
    assert np.isfinite(split_half(deep, genes)).all(), "a spot with one count has none in a half"


def test_too_few_genes_for_folds(spots, cells):
    with pytest.raises(InputError, match=r"as many as there are genes to score \(3\) expected, found 5"):
        judge_imputation(spots, cells, {}, n_genes=3)
    thin = spots.copy()
    thin.X = sparse.csr_matrix(np.eye(80, 100, dtype=int))
    with pytest.raises(InputError, match="genes in more than 10%"):
        genes_to_score(thin, cells)


def test_the_command_prints_a_table_for_each_way_of_hiding(spots, cells, said, tmp_path):
    spots.write_h5ad(tmp_path / "s.h5ad")
    cells.write_h5ad(tmp_path / "c.h5ad")
    given = ("evaluate-imputation", tmp_path / "s.h5ad", "--reference", tmp_path / "c.h5ad", "--n-genes", "15")
    code, text, errors = said(*given, "--methods", "gene_ridge,depth", "--out", tmp_path / "scores.csv")
    assert code == 0, errors
    for expected in ("hidden by gene, 15 genes", "hidden by cluster, 15 genes", "gene_ridge", "depth", "split-half"):
        assert expected in " ".join(text.split())
    assert len(errors.splitlines()) == 20, "a line for each method and fold"
    assert set(pd.read_csv(tmp_path / "scores.csv")["method"]) == {"gene_ridge", "depth"}
    code, _, errors = said(*given, "--out", tmp_path / "scores.csv")
    assert (code, "--overwrite" in errors) == (2, True)
    code, _, errors = said(*given, "--methods", "gene_rigde")
    assert (code, "did you mean 'gene_ridge'?" in errors) == (2, True)


@pytest.mark.data
@pytest.mark.slow
def test_scores_on_the_olfactory_bulb_are_those_measured_independently(data_dir):
    from mclstexp.io.tables import read_st_counts

    counts, reference = (read_st_counts(data_dir / "mob_st" / rep / "counts.tsv.gz") for rep in ("rep01", "rep02"))
    methods = {name: create_imputer(name) for name in EXPECTED}
    scores = judge_imputation(counts, reference, methods, by=("gene",))
    found = summarise_imputation(scores).loc["gene", "pcc"]
    assert {name: abs(found[name] - value) < 0.02 for name, value in EXPECTED.items()} == dict.fromkeys(EXPECTED, True)
    assert found[SPLIT_HALF] == pytest.approx(0.769, abs=0.005)


EXPECTED = {"gene_ridge": 0.637, "gene_knn": 0.619, "spage": 0.611}
"""Spots of rep02 without their positions → rep01, 400 genes in five folds: computed by other code."""
