"""The demo, as a user runs it."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mclstexp.core import keys
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.demo import FLAGSHIP, GENES, run_demo
from mclstexp.evaluation.summary import summarise
from mclstexp.io.synthetic import make_sections

METHODS = {"mean", "coordinates", "colour", "density", "knn", "ridge", "mclstexp"} | {
    f"{name}, common sight" for name in ("knn", "pls", "ridge")
}
REFERENCES = {"noise ceiling", "depth oracle"}


@pytest.mark.slow
def test_a_quick_demo_leaves_everything_it_says(tmp_path, capsys):
    out = tmp_path / "demo"
    run_demo(out, quick=True)
    scores = pd.read_csv(out / "scores.csv", keep_default_na=False, na_values=[""])
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
    assert {path.name for path in out.iterdir()} == {"section.png", "maps", "scores.csv", "prediction.h5ad"}
    said = capsys.readouterr().out
    assert all(word in said for word in (*METHODS, "noise ceiling", "mclstexp fit mclstexp YOUR_DATA --out runs/mine"))


@pytest.mark.slow
def test_the_demo_shows_methods_that_learn(tmp_path):
    run_demo(tmp_path)
    summary = summarise(pd.read_csv(tmp_path / "scores.csv", keep_default_na=False, na_values=[""]))
    assert summary.loc["mean", "pcc"] == 0
    assert (summary.loc[["knn", "ridge", FLAGSHIP], "pcc"] > 0.4).all()
    assert (summary.loc[["knn", "ridge", FLAGSHIP], "r2"] > 0.1).all()
