"""The demo, as a user runs it."""

import shlex

import anndata as ad
import numpy as np
import pytest
from PIL import Image

from mclstexp.cli import run
from mclstexp.core import keys
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.demo import FLAGSHIP, GENES, run_demo
from mclstexp.evaluation.results import read_results
from mclstexp.evaluation.summary import summarise
from mclstexp.io.synthetic import make_sections

METHODS = {"mean", "coordinates", "colour", "density", "knn", "ridge", "mclstexp"} | {
    f"{name}, common sight" for name in ("knn", "pls", "ridge")
}
REFERENCES = {"noise ceiling", "depth oracle"}


@pytest.mark.slow
def test_a_quick_demo_leaves_everything_it_says(tmp_path, capsys, monkeypatch):
    out = tmp_path / "demo"
    run_demo(out, quick=True)
    scores = read_results(out / "results")
    assert set(scores["method"]) == METHODS | REFERENCES
    assert "failed" not in set(scores["metric"])
    assert set(scores.loc[scores["metric"] == "pcc", "patient"]) == {"P4"}

    predicted = ad.read_h5ad(out / "prediction.h5ad")
    *train, test = make_sections(4, n_spots_side=6, n_genes=24, mpp=2.0)
    assert predicted.obs_names.tolist() == test.tiles.ids.tolist()
    assert predicted.uns[keys.PROVENANCE]["method"] == FLAGSHIP
    assert predicted.uns[keys.PROVENANCE]["patients"].tolist() == ["P1", "P2", "P3"]
    space = ExpressionSpace.fit(train)
    rows = scores[(scores["method"] == FLAGSHIP) & (scores["metric"] == "pcc")]
    # what is kept and mapped is what was scored
    np.testing.assert_allclose(rows["value"], pearson_per_gene(space(test.counts), predicted.X), atol=1e-5)

    pictures = [out / "section.png", *(out / "maps" / f"{gene}.png" for gene in GENES)]
    assert all(np.asarray(Image.open(picture)).std() > 10 for picture in pictures)
    left = {"section.png", "slide.tif", "results", "report.html", "model", "prediction.h5ad", "maps"}
    assert {path.name for path in out.iterdir()} == left
    said = capsys.readouterr().out
    assert all(word in said for word in (*METHODS, "noise ceiling", "mclstexp fit mclstexp YOUR_DATA --out runs/mine"))
    goes_on_with_what_it_left(said, monkeypatch, tmp_path)


def goes_on_with_what_it_left(said, monkeypatch, folder):
    """The commands it prints are typed; its model says of each gene what the test found."""
    monkeypatch.chdir(folder)
    (line,) = [
        line for line in said.splitlines() if line.strip().startswith("mclstexp predict") and "slide.tif" in line
    ]
    assert run(shlex.split(line)[1:]) == 0
    of_slide = ad.read_h5ad(folder / "demo" / "slide.h5ad")
    assert of_slide.n_obs > 20
    assert set(of_slide.var["verdict"]) <= {"predictable", "doubtful", "not predictable", ""}
    assert "Research use only" in (folder / "demo" / "report.html").read_text(encoding="utf-8")
    assert run(["demo", "--out", "demo"]) == 2  # what is there is not replaced by mistake


@pytest.mark.slow
def test_the_demo_shows_methods_that_learn(tmp_path):
    run_demo(tmp_path)
    summary = summarise(read_results(tmp_path / "results"))
    assert summary.loc["mean", "pcc"] == 0
    assert (summary.loc[["knn", "ridge", FLAGSHIP], "pcc"] > 0.4).all()
    assert (summary.loc[["knn", "ridge", FLAGSHIP], "r2"] > 0.1).all()
