"""How answers are marked: by hand what the published evaluation computes, and what stands beside every method."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import pearsonr

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.data.folds import folds_by_section
from mclstexp.data.genes import select_heg
from mclstexp.evaluation.ceiling import depth_oracle, noise_ceiling
from mclstexp.evaluation.conformance import with_counts
from mclstexp.evaluation.exam import Rules, mark, prepare, references
from mclstexp.evaluation.harness import evaluate, join_scores
from mclstexp.evaluation.summary import summarise
from mclstexp.methods import create
from small_methods import ENCODER, small_sections

PAPER = Rules(protocol="paper", gene_sets={"heg5": partial(select_heg, n_genes=5)})


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


def test_the_paper_protocol_is_the_released_evaluation(sections):
    """Per gene over the section, 10⁴, log10; errors over the whole matrix; PCC without NaN, that of HEG with it."""
    fold = folds_by_section(sections)[0]
    method = create("knn", encoder=ENCODER, k=4)
    scores = evaluate([fold], {"knn": method}, controls={}, rules=PAPER)
    test = fold.test[0]
    panel = scores.loc[scores["metric"] == "mse", "gene"].astype(str).tolist()
    counts = test.counts[:, panel].X.toarray().astype(float)
    truth = np.log10(1 + 1e4 * counts / counts.sum(axis=0))
    space = ExpressionSpace(tuple(panel), axis="gene")
    predicted = create("knn", encoder=ENCODER, k=4).fit(fold.train, space=space).predict(test.tiles).X
    by_hand = np.array([pearsonr(t, p).statistic for t, p in zip(truth.T, predicted.T, strict=True)])
    heg = np.argsort(-truth.mean(axis=0), kind="stable")[:5]
    row = summarise(scores, over="section").loc["knn"]
    assert row["pcc"] == pytest.approx(np.nanmean(by_hand), abs=1e-6)
    assert row["pcc_heg5"] == pytest.approx(by_hand[heg].mean(), abs=1e-6)
    assert row["mse"] == pytest.approx(((truth - predicted) ** 2).mean(), rel=1e-5)
    assert row["mae"] == pytest.approx(np.abs(truth - predicted).mean(), rel=1e-5)
    assert scores["transductive"].all()


def test_a_constant_prediction_is_dropped_by_the_paper_protocol_and_0_under_the_strict(sections):
    fold = folds_by_section(sections)[0]
    for rules, expected in ((PAPER, np.nan), (Rules(), 0.0)):
        row = summarise(evaluate([fold], {"mean": create("mean")}, controls={}, rules=rules), over="section")
        assert row.loc["mean", "pcc"] == pytest.approx(expected, nan_ok=True)


def test_references_are_computed_on_each_test_section(sections):
    fold = folds_by_section(sections)[0]
    exam = prepare(fold, Rules())
    rows = join_scores([references(exam)])
    counts = exam.fold.test[0].counts
    oracle = rows[(rows["method"] == "depth oracle") & (rows["metric"] == "pcc")]["value"]
    np.testing.assert_allclose(oracle, depth_oracle(counts, space=exam.space), atol=1e-6)
    ceiling = rows[(rows["method"] == "noise ceiling") & (rows["metric"] == "ceiling")]["value"]
    np.testing.assert_array_equal(ceiling, noise_ceiling(counts, space=exam.space))
    assert set(rows["kind"]) == {"reference"}


def test_a_gene_whose_truth_is_constant_is_not_scored(sections):
    fold = folds_by_section(sections)[0]
    exam = prepare(fold, Rules())
    test = exam.fold.test[0]
    matrix = test.counts.X.toarray()
    column = list(test.genes).index(exam.space.genes[0])
    matrix[:, column] = 0
    emptied = with_counts(test, matrix)
    predicted = exam.space(test.counts)
    rows = mark(exam, emptied, predicted, label="m", method=create("mean"))
    pcc = rows[rows["metric"] == "pcc"].set_index("gene")["value"]
    assert np.isnan(pcc[exam.space.genes[0]])
    expected = pearson_per_gene(exam.space(emptied.counts), predicted)
    np.testing.assert_allclose(pcc, expected)
    assert set(rows["kind"]) == {"control"}
    assert set(rows["section"]) == {test.id}
