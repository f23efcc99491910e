"""Paired comparisons: what is subtracted from what, and how sure the difference is."""

import numpy as np
import pandas as pd
import pytest

from made_scores import per_patient, scores_of, whole_table
from mclstexp.core.errors import InputError
from mclstexp.evaluation.compare import compare_methods, compare_pairs
from mclstexp.evaluation.resampling import holm, mean_interval, sign_flip_p

VALUES = {"a": [0.5, 0.6, 0.4, 0.7], "b": [0.3, 0.5, 0.4, 0.2], "c": [0.1, 0.1, 0.1, 0.6]}


def _row(table, method, baseline):
    return table[(table["method"] == method) & (table["baseline"] == baseline)].iloc[0]


def test_every_method_is_compared_with_the_best():
    table = compare_methods(per_patient(VALUES), seed=2)
    assert set(table["baseline"]) == {"a"}
    assert list(table["method"]) == ["b", "c"]
    row, differences = _row(table, "b", "a"), np.subtract(VALUES["b"], VALUES["a"])
    assert row["difference"] == pytest.approx(-0.2)
    assert (row["low"], row["high"]) == pytest.approx(mean_interval(differences))
    assert row["p"] == sign_flip_p(differences) == 0.25  # one patient does not differ
    assert row[["n_units", "smallest_p"]].tolist() == [4, 0.125]
    np.testing.assert_allclose(table["holm"], holm(table["p"]))
    assert table.attrs["over"] == "patient"
    assert list(table)[:7] == ["method", "baseline", "difference", "low", "high", "p", "holm"]
    assert list(table)[7:] == ["smallest_p", "n_units", "told_apart"]


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
    assert over["n_units"].tolist() == [2], "what is independent stays the patient"


def test_the_sections_of_one_patient_count_where_there_is_no_other():
    table = compare_methods(per_patient(VALUES).assign(patient="A"))
    assert table.attrs["over"] == "section"
    assert table["n_units"].tolist() == [4, 4]
    one = compare_methods(per_patient({"a": [0.5], "b": [0.1]}))
    assert one[["p", "n_units"]].to_numpy().tolist() == [[1.0, 1]]
    assert one[["low", "high"]].isna().all(axis=None)


def test_sections_of_a_patient_are_no_evidence_of_their_own():
    rows = [
        {"patient": patient, "section": f"{patient}{n}", "fold": f"{patient}{n}", "method": method, "value": value}
        for patient in "AB"
        for n in range(4)
        for method, value in (("m", 0.1), ("n", 0.3 + 0.01 * n))
    ]
    table = compare_methods(scores_of(rows, by="section"), baseline="m", over="section")
    assert table[["n_units", "smallest_p", "p"]].to_numpy().tolist() == [[2, 0.5, 0.5]]
    assert (table.attrs["over"], table.attrs["units"]) == ("section", "patient")
    one = compare_methods(scores_of(rows, by="section").assign(patient="A"), baseline="m", over="section")
    assert one[["n_units", "smallest_p"]].to_numpy().tolist() == [[8, 2 / 2**8]]


def test_patients_weigh_by_their_sections_in_a_mean_over_sections():
    values = {"A": [0.1, 0.3], "B": [0.2, 0.2, 0.2, -0.4], "C": [0.5]}
    rows = [
        {"patient": p, "section": f"{p}{n}", "method": method, "value": value if method == "n" else 0.0}
        for p, of_patient in values.items()
        for n, value in enumerate(of_patient)
        for method in "mn"
    ]
    row = compare_methods(scores_of(rows), baseline="m", over="section").iloc[0]
    assert row["difference"] == pytest.approx(1.1 / 7)
    assert row["p"] == sign_flip_p(np.array([0.4, 0.2, 0.5]))
    assert (row["low"] + row["high"]) / 2 == pytest.approx(1.1 / 7)


def test_unknown_patients_are_tested_by_section_and_never_as_patients():
    unknown = per_patient(VALUES, by="section").assign(patient="")
    table = compare_methods(unknown)
    assert (table.attrs["over"], table.attrs["units"], table["n_units"].tolist()) == ("section", "section", [4, 4])
    with pytest.raises(InputError, match="known patients expected for means over patients, found 4 sections without"):
        compare_methods(unknown, over="patient")


def test_sections_of_unknown_patients_are_left_out_where_several_are_known():
    rows = [
        {"patient": patient, "section": f"{patient}{n}", "fold": f"{patient}{n}", "method": method, "value": value}
        for patient, shift in (("A", 0.1), ("B", 0.2), ("", 0.9))
        for n in range(4)
        for method, value in (("m", 0.0), ("n", shift))
    ]
    for over in (None, "section", "patient"):
        table = compare_methods(scores_of(rows, by="section"), baseline="m", over=over)
        assert table[["n_units", "smallest_p", "p"]].to_numpy().tolist() == [[2, 0.5, 0.5]]
        assert table["difference"].tolist() == pytest.approx([0.15])
        assert table.attrs["units"] == "patient"


@pytest.mark.parametrize(("n_patients", "apart"), [(2, False), (5, False), (6, True)])
def test_nothing_is_told_apart_where_no_p_can_be_small(n_patients, apart):
    values = {"a": np.linspace(0.50, 0.51, n_patients), "b": np.linspace(0.10, 0.12, n_patients)}
    row = compare_methods(per_patient(values)).iloc[0]
    assert row["high"] < 0, "the interval leaves 0 out"
    assert bool(row["told_apart"]) is apart


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
