"""Tables for people: what they show, mark and say."""

import shutil
import subprocess

import numpy as np
import pytest

from made_scores import per_patient, whole_table
from mclstexp.evaluation.summary import headline, summarise
from mclstexp.evaluation.tables import latex_table, markdown_table, summary_rows

HEADING = ["method", "PCC [95 % CI]", "PCC, 50 highest", "share of ceiling", "MSE", "time", "memory"]


@pytest.fixture(scope="module")
def summary():
    return summarise(whole_table())


def test_rows_are_what_people_read(summary):
    heading, rows = summary_rows(summary)
    assert heading == HEADING
    assert [row[0] for row in rows] == [
        "good",
        "fair †",
        "ridge",
        "weak ‡",
        "mean",
        "noise ceiling",
        "depth oracle",
    ]
    row = summary.loc["good"]
    assert rows[0][1:] == [
        f"{row['pcc']:.3f} [{row['pcc_low']:.3f}, {row['pcc_high']:.3f}]",
        f"{row['pcc_heg50']:.3f}",
        "60 %",
        f"{row['mse']:.3f}",
        "5.0 min",
        "502 MiB",
    ]
    assert rows[-1][4:] == ["-", "-", "-"]


def test_without_an_interval_none_is_promised():
    heading, rows = summary_rows(summarise(per_patient({"m": [0.5]})))
    assert heading == ["method", "PCC", "PCC, 50 highest"]
    assert rows == [["m", "0.500", "0.500"]]


def test_columns_may_be_dropped(summary):
    assert summary_rows(summary.drop(columns=["peak_mib", "pcc_heg50"]))[0] == [*HEADING[:2], *HEADING[3:-1]]


def _cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]


def test_markdown_is_a_table_with_references_last_and_sentences_beneath(summary):
    text = markdown_table(summary)
    cells = _cells(text)
    assert cells[0] == HEADING
    assert set(cells[1][1:]) == {"---:"}
    assert {len(line) for line in cells} == {len(HEADING)}
    assert [line[0] for line in cells[7:]] == ["*references*", "noise ceiling", "depth oracle"]
    assert [line for line in text.splitlines() if line.startswith("- ")] == [f"- {s}" for s in headline(summary)]


def test_the_best_of_methods_and_controls_is_bold(summary):
    good, *others = _cells(markdown_table(summary))[2:]
    assert [cell.startswith("**") for cell in good] == [False, True, True, True, True, False, False]
    assert not any("**" in cell for line in others for cell in line)


def test_what_reads_the_same_is_bold_alike_and_who_failed_is_no_candidate():
    table = summarise(per_patient({"a": [0.5001, 0.1], "b": [0.5, 0.1], "c": [0.1, 0.1]}, gene_sets=()))
    assert [line[1][:2] == "**" for line in _cells(markdown_table(table))[2:]] == [True, True, False]
    table = summarise(per_patient({"a": [0.1, 0.2], "lucky": [0.9], "c": [0.0, 0.2]}, gene_sets=()))
    assert [line[0] for line in _cells(markdown_table(table)) if "**" in line[1]] == ["a"]


def test_a_method_tuned_on_these_data_is_marked_and_never_bold():
    scores = per_patient({"best": [0.9, 0.8], "b": [0.5, 0.1], "c": [0.1, 0.1]}, gene_sets=())
    text = markdown_table(summarise(scores.assign(tuned=scores["method"] == "best")))
    assert [line[0] for line in _cells(text) if "**" in line[1]] == ["b"]
    assert _cells(text)[2][0] == "best §"
    assert "- § Defaults chosen by scores on these very data, which flatters them here: best. Never bold." in text
    old = scores.drop(columns="tuned")
    assert [line[0] for line in _cells(markdown_table(summarise(old))) if "**" in line[1]] == ["best"]


def test_markdown_is_not_broken_by_names():
    table = summarise(per_patient({"a|b <i>*": [0.5, 0.1], "b": [0.1, 0.1]}))
    assert "| a\\|b \\<i>\\* |" in markdown_table(table)


def test_markdown_is_not_broken_by_names_of_gene_sets():
    table = summarise(per_patient({"a": [0.5, 0.1], "b": [0.1, 0.1]}))
    name = "x|y <img src=a> [z](http://b) \u202etes"
    table.attrs["gene_sets"] = [name]
    table[f"pcc_{name}"] = 0.5
    heading = markdown_table(table).splitlines()[0]
    assert r"PCC, x\|y \<img src=a> [z]\(http://b) \\u202etes |" in heading


def test_latex_is_of_booktabs_and_escaped(summary):
    text = latex_table(summary.rename(index={"good": r"good_100% & {more} #1 \x~^ <é>"}))
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    assert text.count(r"\midrule") == 2
    assert r"\begin{tabular}{@{}lrrrrrr@{}}" in text
    assert {line.count(" & ") for line in body.splitlines() if line.endswith(r"\\") and "multicolumn" not in line} == {
        6
    }
    assert r"good\_100\% \& \{more\} \#1 \textbackslash{}x\textasciitilde{}\textasciicircum{} \textless{}é" in body
    assert r"fair $^\dagger$ &" in body
    assert r"\textbf{60\,\%}" in body
    assert body.index("references") > body.index("mean")
    assert r"ValueError: 50\% of\_it" in text
    assert text.count("{") == text.count("}") + text.count(r"\{") - text.count(r"\}")


def test_latex_has_true_minus_signs():
    text = latex_table(summarise(per_patient({"a-b": [-0.5, -0.5], "b": [0.1, 0.1]})))
    assert "a-b & $-$0.500 [$-$0.500, $-$0.500]" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_latex_compiles_within_the_page(summary, tmp_path):
    page = (
        r"\documentclass{article}\usepackage[margin=2cm]{geometry}\usepackage{booktabs}\begin{document}%s\end{document}"
    )
    summary = summary.assign(**dict.fromkeys(("r2", "mae", "ssim", "auc", "dispersion"), 0.123))
    (tmp_path / "t.tex").write_text(page % latex_table(summary.rename(index={"good": r"a_{b}%$#\x~^<>|"})))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout


@pytest.mark.parametrize(
    ("seconds", "mib", "shown"),
    [
        (3.44, 812.4, ["3.4 s", "812 MiB"]),
        (59.4, 1024.0, ["59 s", "1.0 GiB"]),
        (90.0, 3481.6, ["1.5 min", "3.4 GiB"]),
        (7560.0, np.nan, ["2.1 h"]),
    ],
)
def test_time_and_memory_have_units(summary, seconds, mib, shown):
    assert summary_rows(summary.assign(seconds=seconds, peak_mib=mib))[1][0][5:] == shown
