"""Regions that are there are found, in truth and prediction; what cannot be compared is left out."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from sklearn.metrics import adjusted_rand_score

from made_pairs import made_pair, square
from mclstexp.analysis.domains import compare_domains, find_domains, labels_of
from mclstexp.core.errors import InputError

SIDE = 12
ARRAY = square(SIDE)
LAYER = np.array(["a", "b", "c"])[(ARRAY[:, 1] // 4).astype(int)]


def _layered(*, labels=True, noise=0.4, seed=0):
    rng = np.random.default_rng(seed)
    profile = {layer: rng.normal(size=40) for layer in "abc"}
    maps = np.array([profile[layer] for layer in LAYER]) * 0.6
    given = LAYER.astype(object).copy()
    given[:5], given[5] = "undetermined", np.nan
    guess = maps + noise * rng.normal(size=maps.shape)
    return made_pair(maps, guess, labels=given if labels else None)


def test_paper_finds_as_many_as_there_are_labels_and_leaves_out_the_others():
    pair = _layered()
    assert labels_of(pair).isna().sum() == 6
    for which in ("truth", "predicted"):
        found = find_domains(pair, which=which, way="paper")
        assert (found.codes[:6] == -1).all()
        assert list(found.categories) == ["1", "2", "3"]
        assert adjusted_rand_score(LAYER[6:], found.codes[6:]) > 0.95
        assert (np.diff(np.bincount(found.codes[6:])) <= 0).all(), "the largest comes first"
    assert len(find_domains(pair, way="paper", n_domains=2).categories) == 2


def test_compared_with_labels_and_with_each_other():
    table = compare_domains(_layered(), way="paper")
    assert table[["of", "against"]].apply(tuple, axis=1).tolist() == [
        ("truth", "labels"),
        ("predicted", "labels"),
        ("predicted", "truth"),
    ]
    assert (table["n_spots"] == 138).all()
    assert table[["ari", "nmi"]].min().min() > 0.9
    unlabelled = compare_domains(_layered(labels=False), way="paper", n_domains=3)
    assert unlabelled["against"].tolist() == ["truth"]
    assert unlabelled["n_spots"].tolist() == [144]


def test_a_prediction_that_says_nothing_agrees_with_nothing():
    pair = _layered(noise=0)
    pair.predicted.X[:] = np.random.default_rng(1).normal(size=pair.predicted.shape)
    table = compare_domains(pair, way="paper").set_index(["of", "against"])["ari"]
    assert table["truth", "labels"] > 0.95
    assert abs(table["predicted", "labels"]) < 0.1


def test_leiden_needs_no_labels_and_is_the_same_again():
    pytest.importorskip("igraph", reason="the extra mclstexp[analysis] is not installed")
    pair = _layered(labels=False)
    found = find_domains(pair)
    assert adjusted_rand_score(LAYER, found.codes) > 0.5
    pd.testing.assert_index_equal(pd.Index(found), pd.Index(find_domains(pair)))
    alone = pair.predicted.copy()
    alone.obsm["spatial"] = np.array(pair.section.tiles.xy)
    pd.testing.assert_index_equal(pd.Index(found), pd.Index(find_domains(alone)))
    # the tissue's graph holds together what noise would scatter
    alone.X = alone.X + 1.5 * np.random.default_rng(2).normal(size=alone.shape).astype(np.float32)
    alone.X[3] = np.nan
    scores = []
    for share in (0, 0.5):
        codes = find_domains(alone, share_of_space=share).codes
        assert codes[3] == -1
        scores.append(adjusted_rand_score(LAYER, codes))
    assert scores[1] > scores[0]


def test_what_is_missing_is_said():
    pair = _layered(labels=False)
    with pytest.raises(InputError, match="name n_domains"):
        find_domains(pair, way="paper")
    with pytest.raises(InputError, match="found a prediction alone"):
        find_domains(pair.predicted, which="truth")


@pytest.mark.slow
def test_leiden_divides_slides_of_many_tiles():
    rng = np.random.default_rng(0)
    xy = square(66)  # above 4096 scanpy would look for approximate neighbours
    profile = rng.normal(size=(3, 12))
    values = profile[(xy[:, 1] // 22).astype(int)] + 0.5 * rng.normal(size=(len(xy), 12))
    slide = AnnData(values.astype(np.float32), obsm={"spatial": xy * 224})
    found = find_domains(slide, resolution=0.2)
    assert adjusted_rand_score(xy[:, 1] // 22, found.codes) > 0.9
