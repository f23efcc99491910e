"""The whole way from sections to patients, as one command goes it."""

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mclstexp as mx
from mclstexp.cli.cohort_way import go_the_way
from mclstexp.core.errors import InputError
from mclstexp.demo_cohort import OUTCOME, Size, commands, sentences_of_truth, write_inputs
from mclstexp.evaluation.experiment import read_experiment
from mclstexp.io.synthetic.slides import TRUTH, MadeCohort
from small_methods import ENCODER

TINY = Size(10, 300.0, n_teachers=1, n_spots_side=3, n_genes=30, mpp=4.0, encoder=ENCODER, n_prototypes=2)
QUICK = Size(30, 600.0, 2, 6, 30, mpp=4.0, encoder=ENCODER, n_prototypes=4, n_folds=2, genes="all")


@pytest.mark.filterwarnings("ignore")  # that it is small is said
def test_what_a_group_would_have_is_written_once_and_the_truth_apart(tmp_path):
    write_inputs(tmp_path, seed=0, size=TINY)
    cohort = mx.read_cohort(tmp_path / "cohort.csv", outcome=OUTCOME, covariates=("stage",))
    assert len(cohort) == 10
    assert set(cohort.patients.sites) == {"site01", "site02"}
    assert not set(TRUTH) & set(pd.read_csv(tmp_path / "cohort.csv"))
    assert list(pd.read_csv(tmp_path / "truth.csv")) == ["patient", *TRUTH]
    assert np.asarray(Image.open(tmp_path / "slides" / "C010.png")).shape == (75, 75, 3)
    (section,) = read_experiment(tmp_path / "expression.toml").data.read(mx.TileSpec(28, 4.0))
    assert (section.id, section.patient, section.tiles.slide.mpp) == ("P1_S1", "P1", 4.0)
    assert read_experiment(tmp_path / "outcome.toml").folds.by == "site"

    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.suffix in (".png", ".h5ad")}
    spoilt = tmp_path / "slides" / "C003.png"
    content = spoilt.read_bytes()
    spoilt.write_bytes(content[:-9])
    write_inputs(tmp_path, seed=0, size=TINY)
    assert spoilt.read_bytes() == content
    assert [path for path, then in kept.items() if path.stat().st_mtime_ns != then] == [spoilt]


def test_a_slide_is_the_same_whichever_others_are_made_and_shows_its_truth():
    small, large = (MadeCohort(n, side_um=300.0, mpp=4.0) for n in (5, 60))
    np.testing.assert_array_equal(MadeCohort(5, 300.0, 4.0).picture(3), small.picture(3))
    table = large.table()
    assert table["patient"].is_unique
    assert 0.7 < table["event"].mean() < 0.95
    assert table.groupby("site").size().eq(5).all()
    of = table["lymphocytes"]
    many, few = (large.picture(int(row)) for row in (of.argmax(), of.argmin()))
    assert np.mean(many[..., 0] < 140) > np.mean(few[..., 0] < 140), "lymphocytes are dark"
    with pytest.raises(InputError, match="5 patients or more and slides of 300 µm or more expected, found 3"):
        MadeCohort(3)


def test_every_command_says_where_it_writes(tmp_path):
    listed = commands(tmp_path, size=Size())
    assert [words[0] for words in listed] == [
        *("evaluate", "fit", "predict", "cohort", "cohort", "cohort", "evaluate", "report", "cohort")
    ]
    targets = [words[words.index("--out") + 1] for words in listed if "--out" in words]
    assert len(set(targets)) == len(listed) - 1, "check writes nothing"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_way_is_gone_and_nothing_of_it_twice(tmp_path, capfd):
    assert go_the_way(tmp_path / "way", size=QUICK) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "$ mclstexp cohort expression" in said
    assert "the true log hazard, of which no model was told, ranks the same patients with C 0." in said
    results = pd.read_csv(tmp_path / "way" / "results" / "summary.csv", index_col="method")
    assert set(results.index) == {
        *("km", "clinical", "mean_features", "prototype_shares", "pathway_scores", "no products"),
        *("prototype_x_pathway", "clinical+prototype_x_pathway"),
    }
    assert not results["n_failed"].any()
    assert (tmp_path / "way" / "report.html").stat().st_size > 10_000
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "way").rglob("*.h5ad")}
    assert go_the_way(tmp_path / "way", size=QUICK) == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    first, second = sentences_of_truth(tmp_path / "way")
    assert first in said
    assert re.match("planted is fat with lymphocytes, and a plus: prototype [1-4] is the kind of tile", second)
    page = (tmp_path / "way" / "report.html").read_text("utf-8")
    assert "no tile is shown" not in page, "the slides were named"
