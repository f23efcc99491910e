"""On tissue whose counts follow from what is seen, methods learn: they beat the mean, and the mean scores 0."""

import pytest

from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import Fold
from mclstexp.evaluation.harness import evaluate, summarise
from mclstexp.methods import create
from small_methods import small_sections

ENCODER = "efficientnet_lite0"


@pytest.fixture(scope="module")
def table():
    *train, test = small_sections(3, n_spots_side=8, mpp=2.0, n_genes=30, spec=TileSpec(96, 1.0), seed=3)
    methods = {
        "mean": create("mean"),
        "knn": create("knn", encoder=ENCODER, k=10),
        "ridge": create("ridge", encoder=ENCODER, n_components=32),
        "mclstexp": create("mclstexp", encoder=ENCODER, epochs=60, k=10, n_models=1, batch_size=32, sharpness=0.5),
        "paper": create("mclstexp", encoder=ENCODER, protocol="paper", epochs=30, k=10, batch_size=32),
    }
    return summarise(evaluate([Fold(test.patient, tuple(train), (test,))], methods))


@pytest.mark.parametrize("method", ["knn", "ridge", "mclstexp", "paper"])
def test_methods_beat_the_mean(table, method):
    assert table.loc[method, "pcc"] > 0.25
    assert table.loc[method, "r2"] > 0.02


def test_the_mean_scores_zero(table):
    assert table.loc["mean", "pcc"] == 0
    assert table.loc["mean", "r2"] == pytest.approx(0, abs=1e-6)
