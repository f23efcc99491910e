"""Paired comparisons: what is subtracted from what, and how sure the difference is."""

import numpy as np
import pandas as pd
import pytest

from made_scores import per_patient, scores_of, whole_table
from mclstexp.core.errors import InputError
from mclstexp.evaluation.compare import compare_methods, compare_pairs
from mclstexp.evaluation.resampling import bootstrap_interval, holm, sign_flip_p

VALUES = {"a": [0.5, 0.6, 0.4, 0.7], "b": [0.3, 0.5, 0.4, 0.2], "c": [0.1, 0.1, 0.1, 0.6]}


def _row(table, method, baseline):
    return table[(table["method"] == method) & (table["baseline"] == baseline)].iloc[0]


def test_every_method_is_compared_with_the_best():
    table = compare_methods(per_patient(VALUES), seed=2)
    assert set(table["baseline"]) == {"a"}
    assert list(table["method"]) == ["b", "c"]
    row, differences = _row(table, "b", "a"), np.subtract(VALUES["b"], VALUES["a"])
    assert row["difference"] == pytest.approx(-0.2)
    assert (row["low"], row["high"]) == pytest.approx(bootstrap_interval(differences, seed=2))
    assert row["p"] == sign_flip_p(differences) == 0.25  # one patient does not differ
    assert row[["n_units", "smallest_p"]].tolist() == [4, 0.125]
    np.testing.assert_allclose(table["holm"], holm(table["p"]))
    assert table.attrs["over"] == "patient"
    assert list(table) == ["method", "baseline", "difference", "low", "high", "p", "holm", "smallest_p", "n_units"]


def test_the_baseline_may_be_named_and_may_be_a_reference():
    table = compare_methods(whole_table(), baseline="depth oracle")
    assert list(table["method"]) == ["good", "fair", "ridge", "weak", "mean"]
    assert (table["difference"] > 0).tolist() == [True, True, False, False, False]
    with pytest.raises(InputError, match=r"\(a, b, c\) as baseline expected, found 'd'"):
        compare_methods(per_patient(VALUES), baseline="d")


def test_of_errors_the_smallest_is_best():
    assert set(compare_methods(whole_table(), metric="mse")["baseline"]) == {"good"}
    assert set(compare_methods(whole_table(), gene_set="heg50")["baseline"]) == {"good"}


def test_all_pairs_are_corrected_for_all():
    table = compare_pairs(per_patient(VALUES))
    assert set(zip(table["method"], table["baseline"], strict=True)) == {("a", "b"), ("a", "c"), ("b", "c")}
    np.testing.assert_allclose(table["holm"], holm(table["p"]))
    assert _row(table, "a", "b")["p"] == _row(compare_methods(per_patient(VALUES)), "b", "a")["p"]


def test_methods_are_compared_where_both_have_scores():
    table = compare_methods(whole_table(), baseline="good")
    assert table.set_index("method")["n_units"].to_dict() == {"fair": 3, "ridge": 3, "weak": 2, "mean": 3}
    rows = [{"gene": "G"}, {"gene": "H", "value": 0.9}]
    rows += [{"method": "n", "gene": "G", "value": 0.6}, {"method": "n", "gene": "H", "value": np.nan}]
    assert compare_methods(scores_of(rows), baseline="m")["difference"].tolist() == pytest.approx([0.1])


def test_patients_weigh_alike():
    rows = [{"section": f"A{n}", "method": m, "value": v} for n in range(3) for m, v in (("m", 0.0), ("n", 1.0))]
    rows += [{"patient": "B", "section": "B1", "method": m, "value": 0.0} for m in "mn"]
    assert compare_methods(scores_of(rows), baseline="m")["difference"].tolist() == [0.5]
    over = compare_methods(scores_of(rows), baseline="m", over="section")
    assert over["difference"].tolist() == [0.75]
    assert over["n_units"].tolist() == [4]


def test_the_sections_of_one_patient_count_where_there_is_no_other():
    table = compare_methods(per_patient(VALUES).assign(patient="A"))
    assert table.attrs["over"] == "section"
    assert table["n_units"].tolist() == [4, 4]
    one = compare_methods(per_patient({"a": [0.5], "b": [0.1]}))
    assert one[["p", "n_units"]].to_numpy().tolist() == [[1.0, 1]]
    assert one[["low", "high"]].isna().all(axis=None)


def test_where_there_is_nothing_to_compare_the_table_is_empty():
    table = compare_methods(per_patient({"a": [0.1, 0.2]}))
    assert len(table) == 0
    assert "holm" in table
    failed = {"metric": "failed", "value": np.nan, "gene": "", "section": "", "patient": ""}
    oracle = {"method": "depth oracle", "kind": "reference"}
    assert len(compare_methods(scores_of([failed, oracle]))) == 0
    assert len(compare_pairs(scores_of([failed, oracle]))) == 0


def test_the_same_seed_gives_the_same_table():
    values = {name: np.random.default_rng(n).normal(size=20) for n, name in enumerate("abc")}
    scores = per_patient(values)
    pd.testing.assert_frame_equal(compare_methods(scores), compare_methods(scores))
