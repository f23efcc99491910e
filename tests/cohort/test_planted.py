"""What is planted in made-up patients is found, what is not is not, and a site's stain passes for no prognosis."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mclstexp.cohort import create_outcome_model
from mclstexp.cohort.survival.concordance import harrell
from mclstexp.io.synthetic.patients import World

N, TRAIN = 300, 210
SMALL = {"n_prototypes": 5, "max_tiles": 5000, "penalty": 30.0}


@pytest.fixture(scope="module")
def script():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "cohort_planted.py"
    spec = importlib.util.spec_from_file_location("cohort_planted_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_products_find_the_planted_pair_that_a_sum_misses():
    made = World(n_tiles=40).make(N, seed=0)
    train, test = made.patients.subset(made.patients.ids[:TRAIN]), made.patients.subset(made.patients.ids[TRAIN:])
    known = made.outcomes.subset(test.ids)
    c = {}
    for products in (False, True):
        model = create_outcome_model("prototype_x_pathway", products=products, **SMALL).fit(train, made.outcomes)
        c[products] = harrell(known.time, known.event, model.predict(test).risk).c
    products = model.explain()["products"]
    row, column = np.unravel_index(np.abs(products.to_numpy()).argmax(), products.shape)
    centres = model.prototypes_.centres * model.prototypes_.scale + model.prototypes_.offset
    assert np.linalg.norm(centres[row] - made.centres, axis=1).argmin() == 0
    assert (products.columns[column], products.iloc[row, column] > 0) == ("pathway 1", True)
    assert c[True] > c[False] + 0.04
    assert c[True] < harrell(known.time, known.event, made.risk[TRAIN:]).c + 0.02


def test_made_patients_are_as_they_are_said_to_be():
    made = World().make(500, seed=3)
    assert 0.5 < made.outcomes.event.mean() < 0.7
    assert {bag.n_tiles for bag in made.patients.bags} <= set(range(80, 200))
    assert all(8 <= len(genes) < 20 for genes in made.patients.gene_sets.values())
    known = made.outcomes
    assert harrell(known.time, known.event, made.risk).c > 0.7
    again = World().make(500, seed=3)
    np.testing.assert_array_equal(again.outcomes.time, made.outcomes.time)


@pytest.mark.slow
def test_products_beat_the_sum_over_three_worlds_and_a_shuffled_pathway_makes_them_vanish(script):
    table = script.planted(["shares + pathways", "prototype_x_pathway"], seeds=range(3))
    c = table.groupby("model")["c"].mean()
    assert c["shares + pathways"] + 0.04 <= c["prototype_x_pathway"] <= c[script.ORACLE] + 0.02
    assert table["right_pair"].dropna().all()
    shuffled = script.planted(["shares + pathways", "prototype_x_pathway"], seeds=range(3), shuffled=True)
    c = shuffled.groupby("model")["c"].mean()
    assert c["prototype_x_pathway"] < c["shares + pathways"] + 0.04
    assert not shuffled["right_pair"].dropna().any()


@pytest.mark.slow
def test_where_nothing_matters_nothing_is_found(script):
    models = ["mean_features", "pathway_scores", "prototype_shares", "prototype_x_pathway"]
    table = script.planted(models, seeds=range(40), effect=0.0).query(f"model != '{script.ORACLE}'")
    assert (abs(table.groupby("model")["c"].mean() - 0.5) < 0.06).all()
    off = (table["low"] > 0.5) | (table["high"] < 0.5)
    assert (off.groupby(table["model"]).mean() <= 0.1).all()


@pytest.mark.slow
def test_folds_by_chance_take_a_sites_stain_for_prognosis_and_folds_by_site_do_not(script):
    c = script.confounded(["mean_features"], seeds=range(3)).groupby("by")["c"].mean()
    assert c["patient"] > 0.6
    assert abs(c["site"] - 0.5) < 0.06
