"""On tissue whose counts follow from what is seen, methods learn: they beat the mean, and the mean scores 0."""

import pytest

from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import Fold
from mclstexp.evaluation.harness import evaluate
from mclstexp.evaluation.summary import summarise
from mclstexp.methods import create
from small_methods import small_methods, small_sections

LONG = {
    "bleep",
    "colour",
    "deepspot",
    "his_to_gene",
    "hist2st",
    "knn",
    "mclstexp, paper",
    "pls",
    "sepal",
    "st_gchb",
    "st_net",
    "thitogene",
    "triplex",
}
"""Those that take more than some seconds; with `make test-slow`."""
METHODS = [
    pytest.param(method, id=method.label, marks=[pytest.mark.slow] if method.label in LONG else [])
    for method in small_methods("learn")
]


@pytest.fixture(scope="module")
def fold():
    *train, test = small_sections(4, n_spots_side=8, mpp=2.0, n_genes=30, spec=TileSpec(96, 1.0), seed=4)
    return Fold(test.patient, tuple(train), (test,))


@pytest.mark.parametrize("method", METHODS)
def test_methods_beat_the_mean(method, fold):
    table = summarise(evaluate([fold], {"m": method.create()}, controls={}))
    assert table.loc["m", "pcc"] > 0.25
    assert table.loc["m", "r2"] > 0.02


def test_the_mean_scores_zero(fold):
    table = summarise(evaluate([fold], {"mean": create("mean")}, controls={}))
    assert table.loc["mean", "pcc"] == 0
    assert table.loc["mean", "r2"] == pytest.approx(0, abs=1e-6)
