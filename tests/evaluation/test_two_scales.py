"""Three correlations, each with its own ceiling, of predictions on either scale."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from made_scores import scores_of
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.data.folds import folds_by_patient
from mclstexp.evaluation.ceiling import reliability
from mclstexp.evaluation.exam import Rules, prepare
from mclstexp.evaluation.harness import evaluate, join_scores
from mclstexp.evaluation.metrics import pcc_depth
from mclstexp.evaluation.score_ceilings import with_ceilings
from mclstexp.evaluation.summary import summarise
from mclstexp.evaluation.tables import latex_table, markdown_table, summary_rows
from mclstexp.methods import create
from small_methods import small_sections

GENES = [f"G{i}" for i in range(3)]


def _residual(sections):
    return ExpressionSpace.fit(sections, scale="residual")


@cache
def _scored(scale):
    folds = folds_by_patient(small_sections(3, n_spots_side=6))
    rules = Rules(space=ExpressionSpace.fit if scale == "log" else _residual)
    method = create("coordinates", k=3)
    return folds, rules, evaluate(folds, {"near": method}, controls={}, rules=rules)


@pytest.mark.parametrize("scale", ["log", "residual"])
def test_each_question_is_asked_of_its_own_truth(scale):
    folds, rules, scores = _scored(scale)
    fold = folds[0]
    exam = prepare(fold, rules)
    section = exam.fold.test[0]
    model = create("coordinates", k=3).fit(exam.fold.train, space=exam.space)
    predicted, counts = model.predict(section.tiles).X, section.counts
    log = exam.space.on_log()(counts)
    residual = exam.space.on_log().on_residuals(exam.fold.train)(counts)
    expected = {
        "pcc": pearson_per_gene(log, predicted),
        "pcc_depth": pcc_depth(log, predicted, depth=np.asarray(counts.X.sum(axis=1), np.float64).ravel()),
        "pcc_residual": pearson_per_gene(residual, predicted),
    }
    rows = scores[(scores["method"] == "near") & (scores["section"] == section.id)]
    for metric, values in expected.items():
        np.testing.assert_allclose(rows.loc[rows["metric"] == metric, "value"], values, atol=1e-6)


@pytest.mark.parametrize("scale", ["log", "residual"])
def test_every_table_has_the_same_columns_on_either_scale(scale):
    summary = summarise(_scored(scale)[2])
    for question in ("", "_depth", "_residual"):
        for genes in ("", "_heg50"):
            assert f"pcc{question}{genes}" in summary
            assert f"ceiling_share{question}{genes}" in summary
        assert summary.loc["noise ceiling", f"pcc{question}"] > 0
    assert summary.loc["depth oracle", "pcc_depth"] == 0
    assert summary.loc["noise ceiling", ["pcc_sd", "pcc_low", "pcc_high"]].isna().all()
    heading, _ = summary_rows(summary)
    told = ["PCC given depth", "PCC given depth, 50 highest", "share of ceiling, given depth"]
    told += ["PCC on residuals", "PCC on residuals, 50 highest", "share of ceiling, on residuals"]
    assert [name for name in heading if name in told] == told
    assert all(name in markdown_table(summary) for name in told)
    assert "residuals" in latex_table(summary)


def test_the_ceilings_of_either_scale_are_the_same():
    log, residual = (
        scores[scores["method"] == "noise ceiling"].set_index(["metric", "section", "gene"])["value"].sort_index()
        for scores in (_scored("log")[2], _scored("residual")[2])
    )
    pd.testing.assert_series_equal(log, residual)


def test_a_gene_has_one_ceiling_the_root_of_its_mean_over_patients():
    values = {("A1", "A"): [0.5, -0.1, np.nan], ("A2", "A"): [0.3, -0.1, 0.2], ("B1", "B"): [0.0, 0.1, 0.2]}
    rows = [
        {"method": "c", "kind": "reference", "metric": "reliability", "value": value, "gene": gene}
        | {"fold": section, "section": section, "patient": patient}
        for (section, patient), of_genes in values.items()
        for gene, value in zip(GENES, of_genes, strict=True)
    ]
    scores = with_ceilings(scores_of(rows))
    found = scores[scores["metric"] == "ceiling"].pivot(index="section", columns="gene", values="value")
    one = np.sqrt([0.2, 0.0, 0.2])
    np.testing.assert_allclose(found.loc["B1"], one, atol=1e-9)
    np.testing.assert_allclose(found.loc["A1"], [one[0], one[1], np.nan], atol=1e-9)
    pd.testing.assert_frame_equal(with_ceilings(scores), scores)
    assert with_ceilings(scores_of([{}])).equals(scores_of([{}]))


def test_the_table_of_scores_holds_what_the_ceilings_were_made_of():
    folds, rules, scores = _scored("log")
    exam = prepare(folds[0], rules)
    section = exam.fold.test[0]
    rows = scores[(scores["metric"] == "reliability") & (scores["section"] == section.id)]
    np.testing.assert_allclose(rows["value"], reliability(section.counts, space=exam.space))
    assert join_scores([scores]).equals(scores)


def test_a_ceiling_of_nothing_is_no_unit():
    rows = [{"value": 0.1}, {"method": "c", "kind": "reference", "metric": "ceiling", "value": -0.2}]
    summary = summarise(scores_of(rows))
    assert np.isnan(summary.loc["m", "ceiling_share"])
    assert summary.loc["c", "pcc"] == 0


def test_a_gene_set_named_like_the_end_of_a_metric_is_refused():
    with pytest.raises(InputError, match="found 'depth'"):
        Rules(gene_sets={"depth": lambda sections, space: []})


def test_the_paper_protocol_keeps_the_log_scale():
    folds, _, _ = _scored("log")
    fold = folds[0]
    by_section = replace(fold, by="section")
    with pytest.raises(InputError, match="scale = 'log' expected for the paper protocol"):
        prepare(by_section, Rules(protocol="paper", space=_residual))
