"""A report of an experiment of another question: the page of all, with that question's table and words."""

import numpy as np
import pandas as pd
import pytest

from made_bands import made_bands
from made_cells import made_cells, made_spots
from mclstexp.api import run_experiment
from mclstexp.evaluation import runner, worker
from mclstexp.evaluation.experiment import experiment_of
from mclstexp.evaluation.results import read_results
from mclstexp.report.build_page import write_report
from opened_page import data_of, text_of


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results of a small comparison of imputation, and of enhancement."""
    folder = tmp_path_factory.mktemp("tasks")
    spots = made_spots(64)
    names = [f"{n % 8}x{n // 8}" for n in range(64)]
    pd.DataFrame(spots.X.toarray(), names, spots.var_names).to_csv(folder / "spots.tsv", sep="\t")
    made_cells(100).write_h5ad(folder / "cells.h5ad")
    data = {"data": {"path": str(folder / "spots.tsv")}}
    hidden = {"n_genes": 12, "n_folds": 3}
    impute = {"task": "impute", "reference": str(folder / "cells.h5ad"), "hidden": hidden, "methods": {"gene_knn": {}}}
    enhance = {"task": "enhance", "hidden": {"by": "random", "n_genes": 12}, "methods": {"kriging": {}}}
    bands = made_bands(side=9)
    counts = bands.counts.copy()
    counts.obsm["spatial"] = bands.tiles.xy_um
    counts.write_h5ad(folder / "bands.h5ad")
    domains = {
        "task": "domains",
        "data": {"path": str(folder / "bands.h5ad"), "format": "counts"},
        "asked": {"seeds": 1},
        "methods": {"smooth": {"method": "spatial_kmeans"}},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "_compute", _here)
        patch.setattr("mclstexp.api.experiments._draw_scores", lambda *_: None)
        for content in (impute, enhance, domains):
            run_experiment(experiment_of({**data, **content}, where="test"), out=folder / content["task"])
    return folder


def _here(plan, todo, **_):
    for label, folds in todo.items():
        for fold in folds:
            worker.judge_part(plan, label, fold)
    return {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "method", "said"),
    [
        ("impute", "gene_knn", ["gene_knn was asked 3 times for what was hidden from everything (by gene)"]),
        ("enhance", "kriging", ["kriging was asked 4 times for what was hidden from everything (by spot)"]),
    ],
)
def test_a_page_of_another_question_has_its_table_and_its_maps(results, tmp_path, task, method, said):
    page = write_report(results / task, tmp_path / "page.html").read_text()
    text, data = text_of(page), data_of(page)
    for words in (*said, f"Method: {method}", "control", "Patients unknown, 1 section"):
        assert words in text, words
    assert data["method"] == method
    assert data["sections"][0]["n_spots"] == 64
    scores = read_results(results / task)
    of_method = scores[(scores["method"] == method) & (scores["metric"] == "pcc")]
    expected = of_method.groupby("gene", observed=True)["value"].agg(["mean", "size"])
    shown = {row["gene"]: row["pcc"] for row in data["rank"]}
    assert set(shown) == set(expected.index)
    if task == "impute":  # of spots the page has the correlation over all, and the table that within each turn
        np.testing.assert_allclose([shown[gene] for gene in expected.index], expected["mean"], atol=1e-4)


@pytest.mark.slow
def test_a_page_of_domains_has_its_table_and_each_sections_domains(results, said, tmp_path):
    code, _, errors = said("report", results / "domains", "--out", tmp_path / "page.html")
    assert (code, errors) == (0, "")
    page = (tmp_path / "page.html").read_text()
    text, data = text_of(page), data_of(page)
    for words in ("ARI", "smooth, places shuffled", "Patients unknown, 1 section; held out by label", "spatial_kmeans"):
        assert words in text, words
    (section,) = data["sections"]
    assert (section["id"], section["n_spots"]) == ("bands", 81)
    assert set(section["domains"]["labels"]) == {"left", "middle", "right"}
    code, _, errors = said("report", results / "domains", "--out", tmp_path / "o.html", "--method", "smoth")
    assert (code, "found none of 'smoth': name one that was kept" in errors) == (2, True)
