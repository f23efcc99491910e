"""What may be compared, and how rows are averaged."""

import numpy as np
import pandas as pd
import pytest

from made_scores import scores_of, whole_table
from mclstexp.core.errors import InputError
from mclstexp.evaluation.compare import compare_methods, compare_pairs
from mclstexp.evaluation.score_table import beside_ceiling, comparable, gene_means, merit, unit_means
from mclstexp.evaluation.summary import summarise


def _joined(**changed):
    return pd.concat([whole_table(), whole_table().assign(**changed)], ignore_index=True)


@pytest.mark.parametrize("use", [comparable, summarise, compare_methods, compare_pairs])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"protocol": "paper"}, "scores of one protocol expected, found 'paper' and 'strict'"),
        ({"space": "ln(1 + 1e6)"}, "scores of one space expected"),
        ({"by": "section"}, "held out by one thing expected"),
    ],
)
def test_rows_of_different_protocols_spaces_or_folds_are_refused(use, change, said):
    with pytest.raises(InputError, match=said):
        use(_joined(**change))


@pytest.mark.parametrize("use", [summarise, compare_methods])
def test_different_panels_within_a_fold_are_refused(use):
    scores = whole_table()
    lost = (scores["method"] == "good") & (scores["gene"] == "G3") & (scores["fold"] == "P1")
    with pytest.raises(InputError, match="found 'G3' of fold 'P1' in only some"):
        use(scores[~lost])
    scores.loc[lost, "heg50"] = False
    with pytest.raises(InputError, match="same gene sets"):
        use(scores)


def test_panels_may_differ_between_folds():
    scores = whole_table()
    learnt = ~((scores["fold"] == "P1") & (scores["gene"] == "G3"))
    assert summarise(scores[learnt]).loc["good", "n_folds"] == 3


def test_one_score_twice_is_refused():
    with pytest.raises(InputError, match="several of 'good' in fold"):
        comparable(pd.concat([whole_table(), whole_table().query("method == 'good'")]))


def test_other_tables_are_refused():
    with pytest.raises(InputError, match="no column 'space'"):
        comparable(whole_table().drop(columns="space"))
    with pytest.raises(InputError, match="without rows"):
        comparable(whole_table()[:0])


def test_a_table_may_have_been_written_and_read(tmp_path):
    whole_table().to_csv(tmp_path / "scores.csv", index=False)
    back = pd.read_csv(tmp_path / "scores.csv")  # empty text comes back as NaN
    pd.testing.assert_frame_equal(summarise(back), summarise(whole_table()))
    whole_table().astype(dict.fromkeys(("method", "gene", "metric", "reason"), "category")).to_parquet(tmp_path / "s")
    pd.testing.assert_frame_equal(summarise(pd.read_parquet(tmp_path / "s")), summarise(whole_table()))


def test_a_nan_is_left_out_or_kept():
    rows = scores_of([{"gene": "G"}, {"gene": "H", "value": np.nan}, {"section": "A2", "value": 0.1}])
    assert unit_means(rows, over="section").tolist() == [0.5, 0.1]
    assert unit_means(rows, over="patient").tolist() == [0.3]
    np.testing.assert_array_equal(unit_means(rows, over="section", keep_nan=True), [np.nan, 0.1])
    assert np.isnan(unit_means(rows, over="patient", keep_nan=True)).all()


def test_a_gene_is_averaged_over_patients_that_weigh_alike():
    rows = [{"section": f"A{n}", "value": 1.0} for n in range(3)] + [{"patient": "B", "section": "B1", "value": 0.0}]
    assert gene_means(scores_of(rows), metric="pcc").loc["G", "m"] == 0.5


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match=r"a gene set of the table \(heg50\) expected, found 'hvg'"):
        gene_means(whole_table(), metric="pcc", gene_set="hvg")
    with pytest.raises(InputError, match=r"\(ceiling, mse, pcc, svg_recovery\) with scores expected, found 'psnr'"):
        gene_means(whole_table(), metric="psnr")


def test_the_ceiling_is_that_of_the_same_gene_and_section():
    both = beside_ceiling(whole_table()[lambda t: t["metric"].isin(["pcc", "ceiling"])]).query("method == 'good'")
    assert len(both) == 36
    np.testing.assert_allclose(both["value"], 0.6 * both["value_ceiling"])


def test_merit_is_larger_the_better():
    values = pd.Series([0.5, 1.5, 1.0])
    assert merit("pcc", values).idxmax() == 1
    assert merit("mse", values).idxmax() == 0
    assert merit("dispersion", values).idxmax() == 2
