"""One row per method: what is averaged over what, and what is said beside it."""

import time

import numpy as np
import pandas as pd
import pytest

from made_scores import per_patient, scores_of, whole_table
from mclstexp.core.errors import InputError
from mclstexp.evaluation.resampling import mean_interval
from mclstexp.evaluation.summary import headline, summarise


def test_patients_weigh_alike_however_many_sections_they_have():
    rows = [{"section": f"A{n}", "value": 1.0} for n in range(3)]
    rows += [{"patient": "B", "section": "B1", "value": 0.0}]
    table = summarise(scores_of(rows))
    assert table.loc["m", ["pcc", "n_patients", "n_sections"]].tolist() == [0.5, 2, 4]
    assert table.loc["m", "pcc_sd"] == pytest.approx(np.std([0, 1], ddof=1))
    assert summarise(scores_of(rows), over="section").loc["m", "pcc"] == 0.75


def test_sections_weigh_alike_however_many_genes_they_have():
    rows = [{"gene": gene, "value": 1.0} for gene in "GHI"] + [{"section": "A2", "fold": "F2", "value": 0.0}]
    assert summarise(scores_of(rows)).loc["m", "pcc"] == 0.5


def test_genes_without_a_score_are_left_out_and_counted():
    table = summarise(scores_of([{"value": 0.4}, {"gene": "H", "value": np.nan}]))
    assert table.loc["m", ["pcc", "pcc_heg50", "n_constant"]].tolist() == [0.4, 0.4, 1]


def test_under_the_paper_protocol_a_gene_without_a_score_makes_the_top_genes_nan():
    rows = [{"value": 0.4}, {"gene": "H", "value": np.nan}, {"patient": "B", "section": "B1", "fold": "B"}]
    table = summarise(scores_of(rows, protocol="paper", gene_sets=("heg50", "hvg50")))
    assert table.loc["m", "pcc"] == 0.45
    assert table.loc["m", "pcc_hvg50"] == 0.45
    assert table.loc["m", ["pcc_heg50", "pcc_heg50_sd", "pcc_heg50_low", "pcc_heg50_high"]].isna().all()
    assert table.attrs["protocol"] == "paper"


def test_the_interval_is_over_patients_or_over_sections():
    values = [0.1, 0.2, 0.6, 0.3]
    row = summarise(per_patient({"m": values})).loc["m"]
    assert (row["pcc_low"], row["pcc_high"]) == mean_interval(np.array(values))
    assert (row["pcc_heg50_low"], row["pcc_heg50_high"]) == (row["pcc_low"], row["pcc_high"])
    of_one = per_patient({"m": values}).assign(patient="A")
    assert np.isnan(summarise(of_one).loc["m", "pcc_low"])
    assert summarise(of_one, over="section").loc["m", "pcc_low"] == row["pcc_low"]


def test_an_interval_does_not_move_when_a_method_is_added():
    values = {"a": [0.1, 0.2, 0.6], "b": [0.3, 0.1, 0.1]}
    alone, both = summarise(per_patient({"a": values["a"]})), summarise(per_patient(values))
    pd.testing.assert_frame_equal(alone, both.loc[["a"]], check_dtype=False)


def test_the_best_stands_first_and_references_last():
    table = summarise(whole_table())
    assert list(table.index) == ["good", "fair", "ridge", "weak", "mean", "noise ceiling", "depth oracle"]
    assert table.loc["good", "n_patients"] == 3
    assert table.attrs == {
        "by": "patient",
        "over": "patient",
        "units": "patient",
        "protocol": "strict",
        "gene_sets": ["heg50"],
        "n_patients": 3,
        "n_unknown": 0,
        "n_sections": 3,
        "n_folds": 3,
    }


def test_the_share_of_the_ceiling_is_a_ratio_of_means_over_what_can_be_measured():
    table = summarise(whole_table())
    shares = {"good": 0.6, "fair": 0.4, "weak": 0.2, "ridge": 0.3, "mean": 0, "noise ceiling": 1, "depth oracle": 0.35}
    assert table["ceiling_share"].to_dict() == pytest.approx(shares)
    assert table["ceiling_share_heg50"].to_dict() == pytest.approx(shares)
    rows = [{"value": 0.3}, {"gene": "H", "value": 0.1}, {"gene": "I", "value": 0.9}, {"gene": "J", "value": np.nan}]
    tops = zip("GHIJ", [0.6, 0.1, 0.0, np.nan], strict=True)
    rows += [{"method": "c", "kind": "reference", "metric": "ceiling", "gene": g, "value": v} for g, v in tops]
    assert summarise(scores_of(rows)).loc["m", "ceiling_share"] == pytest.approx(1.3 / 0.7), "no gene is chosen by it"


def test_the_ceilings_own_row_has_its_mean_as_pcc():
    scores = whole_table()
    expected = scores.loc[scores["metric"] == "ceiling", "value"].mean()
    assert summarise(scores).loc["noise ceiling", "pcc"] == pytest.approx(expected)


def test_without_a_ceiling_there_is_no_share():
    assert np.isnan(summarise(scores_of([{}])).loc["m", "ceiling_share"])


def test_all_other_metrics_are_averaged_alike():
    table = summarise(whole_table())
    np.testing.assert_allclose(table.loc["good", "mse"], 1 - table.loc["good", "pcc"])
    assert table.loc["good", "svg_recovery"] == pytest.approx(0.6)
    assert not {"failed_sd", "ceiling"} & set(table)


def test_failures_and_costs_are_told():
    table = summarise(whole_table())
    assert table.loc["weak", "failed"] == "P0: ValueError: 50% of_it"
    assert table.loc["good", "failed"] == ""
    assert table["n_failed"].to_dict() == dict.fromkeys(table.index, 0) | {"weak": 1}
    assert table.loc["good", ["seconds", "peak_mib"]].tolist() == [300.0, 502.0]
    assert table.loc["weak", "n_sections"] == 2
    assert np.isnan(table.loc["noise ceiling", "seconds"])


def test_a_method_that_failed_everywhere_has_a_row():
    failed = {"method": "bad", "metric": "failed", "value": np.nan, "gene": "", "section": "", "patient": ""}
    table = summarise(scores_of([{}, failed | {"reason": "OSError: no"}]))
    assert np.isnan(table.loc["bad", "pcc"])
    assert table.loc["bad", ["n_sections", "failed"]].tolist() == [0, "F: OSError: no"]


def test_a_million_rows_take_seconds():
    parts = whole_table(n_patients=1, n_genes=500)
    text = ["method", "kind", "fold", "by", "protocol", "space", "patient", "section", "gene", "metric", "reason"]
    big = [parts.assign(section=f"S{n}", fold=f"S{n}", patient=f"P{n % 7}") for n in range(60)]
    big = pd.concat(big, ignore_index=True).astype(dict.fromkeys(text, "category"))
    start = time.process_time()
    summarise(big)
    assert time.process_time() - start < 10 * len(big) / 1e6 + 1


@pytest.mark.parametrize(
    ("n_patients", "change", "said"),
    [
        (6, {}, ["6 patients, 6 sections; held out by patient.", "Means over patients, with 95 % intervals"]),
        (5, {}, ["5 patients", "Means", "5 patients cannot tell methods apart: the smallest possible p is 0.0625."]),
        (3, {}, ["3 patients, 3 sections", "Means", "3 patients cannot tell methods apart: .* is 0.25."]),
        (1, {}, ["1 patient, 1 section;", "Means over patients[.]", "Only 1 patient: .* cannot be given", "1 patient"]),
        (6, {"by": "section"}, ["6 patients", "Means", "Held out by section: other sections of the tested patient"]),
        (6, {"protocol": "paper"}, ["6 patients", "Means", 'Protocol "paper": .* with published numbers']),
        (6, {"transductive": True}, ["6 patients", "Means", "† Transductive, .*: all methods"]),
    ],
)
def test_the_headline_says_what_a_reader_must_know(n_patients, change, said):
    sentences = headline(summarise(per_patient({"m": [0.5] * n_patients}, **change)))
    assert len(sentences) == len(said)
    for sentence, expected in zip(sentences, said, strict=True):
        assert pd.Series([sentence]).str.contains(expected).all(), sentence


def test_the_headline_names_failures_and_transductive_methods():
    sentences = "\n".join(headline(summarise(whole_table())))
    assert "† Transductive, with a step that looked at all of a tested section at once: fair." in sentences
    assert "‡ weak failed in 1 of 3 folds and is averaged over the others, if any: P0: ValueError: 50%" in sentences


def test_intervals_of_means_over_sections_are_drawn_over_patients():
    rows = [
        {"patient": p, "section": f"{p}{n}", "fold": p, "value": 0.1 * n + 0.05 * k}
        for k, p in enumerate("ABCDEF")
        for n in range(k + 1)
    ]
    table = summarise(scores_of(rows), over="section")
    assert any("Means over sections, with 95 % intervals over patients" in s for s in headline(table))
    patients = [row["patient"] for row in rows]
    expected = mean_interval(np.array([row["value"] for row in rows]), of=patients)
    assert table.loc["m", ["pcc_low", "pcc_high"]].tolist() == pytest.approx(expected)
    assert table.loc["m", "pcc"] == pytest.approx(np.mean([row["value"] for row in rows]))


def test_unknown_patients_are_said_and_counted_as_none():
    rows = [{"patient": "", "section": f"S{n}", "fold": f"S{n}", "value": 0.1 * n} for n in range(3)]
    table = summarise(scores_of(rows, by="section"))
    sentences = headline(table)
    assert sentences[0] == "Patients unknown, 3 sections; held out by section."
    assert sentences[1].startswith("Means over sections, with 95 % intervals over sections")
    assert "Nobody said whom 3 sections came from" in sentences[2]
    assert table.loc["m", ["n_patients", "n_sections"]].tolist() == [0, 3]
    with pytest.raises(InputError, match="known patients expected"):
        summarise(scores_of(rows, by="section"), over="patient")
    some = summarise(scores_of([*rows, {"patient": "P", "section": "S9", "fold": "S9"}], by="section"))
    assert headline(some)[0].startswith("1 known patient and 3 sections of unknown ones, 4 sections;")


def test_sections_of_unknown_patients_are_in_no_mean_where_several_are_known():
    rows = [{"patient": p, "section": f"S{p}", "fold": f"S{p}", "value": v} for p, v in (("A", 0.1), ("B", 0.3))]
    rows += [{"patient": "", "section": f"U{n}", "fold": f"U{n}", "value": 0.9} for n in range(3)]
    for over in (None, "section", "patient"):
        table = summarise(scores_of(rows, by="section"), over=over)
        assert table.loc["m", "pcc"] == pytest.approx(0.2)
        assert table.loc["m", ["pcc_low", "pcc_high"]].tolist() == [-1, 1], "t over two, cut where no correlation lies"
        assert table.loc["m", ["n_patients", "n_sections"]].tolist() == [2, 2]
        said = headline(table)
        assert said[0] == "2 known patients, 2 sections; held out by section."
        assert said[2].startswith("Nobody said whom 3 sections came from: in no mean, interval or p value")
        assert said[3] == "2 patients cannot tell methods apart: the smallest possible p is 0.5."


def test_what_is_unknown_stays_so_through_a_csv_file(tmp_path):
    rows = [{"patient": "", "section": f"S{n}", "fold": f"S{n}", "value": 0.1 * n} for n in range(3)]
    scores_of(rows, by="section").to_csv(tmp_path / "scores.csv", index=False)
    table = summarise(pd.read_csv(tmp_path / "scores.csv"))
    assert (table.attrs["n_unknown"], table.loc["m", "n_sections"]) == (3, 3)
    whole_table().to_csv(tmp_path / "known.csv", index=False)
    assert summarise(pd.read_csv(tmp_path / "known.csv")).attrs["n_unknown"] == 0, "a failed fold is no section"
