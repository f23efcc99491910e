"""Pearson residuals of counts: by hand, learnt from training sections alone, carried by whatever holds a space."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from mclstexp.core import identity, residuals
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.gene_blocks import blocks
from mclstexp.core.options import build
from mclstexp.core.residuals import expected_shares, pearson_residuals
from mclstexp.data.genes import select_heg
from mclstexp.evaluation.metrics import js
from mclstexp.io.models import load_model, save_model
from mclstexp.io.predictions import read_prediction, write_prediction
from mclstexp.methods import create, list_methods
from mclstexp.methods.sepal import SEPAL
from small_methods import small_sections

GENES = ("A", "B", "C")


def _counts(matrix, genes=GENES):
    return AnnData(sparse.csr_matrix(np.asarray(matrix)), var=pd.DataFrame(index=list(genes)))


def _space(**given):
    return ExpressionSpace(GENES, **{"scale": "residual", "shares": (0.5, 0.3, 0.2), "clip": 10.0, **given})


@pytest.fixture(scope="module")
def sections():
    return small_sections()


@pytest.fixture(scope="module")
def model(sections):
    space = ExpressionSpace.fit(sections[:2], scale="residual")
    return create("mean").fit(sections[:2], space=space)


def test_by_hand():
    found = _space(theta=4.0)(_counts([[8, 1, 1], [0, 0, 0]]))
    expected = np.array([5.0, 3.0, 2.0])
    by_hand = (np.array([8, 1, 1]) - expected) / np.sqrt(expected + expected**2 / 4)
    np.testing.assert_allclose(found, [by_hand, [0, 0, 0]], rtol=1e-6)
    assert found.dtype == np.float32


def test_they_are_of_the_panel_whatever_else_was_counted():
    beside = _counts([[8, 900, 1, 1]], "AXBC")
    np.testing.assert_array_equal(_space()(beside), _space()(_counts([[8, 1, 1]])))


def test_large_ones_are_cut_off_on_both_sides():
    found = _space(clip=1.5)(_counts([[0, 0, 300], [300, 0, 0]]))
    assert found.max() == 1.5
    assert found.min() == -1.5


def test_a_spot_has_the_same_truth_whichever_are_beside_it(sections):
    space = ExpressionSpace.fit(sections[:2], scale="residual")
    alone = np.concatenate([space(sections[2].take([i]).counts) for i in range(len(sections[2]))])
    np.testing.assert_array_equal(space(sections[2].counts), alone)


def test_counts_without_signal_spread_by_one_and_know_nothing_of_depth():
    rng = np.random.default_rng(0)
    depth, shares = rng.uniform(300, 3000, size=(2000, 1)), rng.dirichlet(np.full(20, 5.0))
    counts = sparse.csr_matrix(rng.poisson(depth * shares))
    found = pearson_residuals(counts, shares=shares, theta=1e6, clip=100.0)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=0.1)
    correlation = np.corrcoef(np.log(depth[:, 0]), found.T)[0, 1:]
    assert np.abs(correlation).max() < 0.1


def test_blocks_of_spots_change_nothing(monkeypatch):
    counts = sparse.csr_matrix(np.random.default_rng(0).poisson(3, size=(50, 6)))
    whole = pearson_residuals(counts, shares=np.full(6, 0.2), theta=10, clip=5)
    monkeypatch.setattr(residuals, "blocks", partial(blocks, most=13))
    np.testing.assert_array_equal(pearson_residuals(counts, shares=np.full(6, 0.2), theta=10, clip=5), whole)


def test_shares_are_of_the_training_counts():
    one, two = sparse.csr_matrix([[1, 1, 2]]), sparse.csr_matrix([[3, 0, 1], [0, 0, 0]])
    np.testing.assert_allclose(expected_shares([one, two]), [4 / 8, 1 / 8, 3 / 8])


def test_a_gene_that_training_never_counted_has_a_truth_all_the_same():
    shares = expected_shares([sparse.csr_matrix([[9, 0]])])
    np.testing.assert_allclose(shares, [9 / 9.5, 0.5 / 9.5])
    found = pearson_residuals(sparse.csr_matrix([[1, 1]]), shares=shares, theta=10, clip=50)
    assert np.isfinite(found).all()
    assert found[0, 1] > 2


def test_a_space_learns_from_training_sections_alone(sections):
    space = ExpressionSpace.fit(sections[:2], scale="residual", theta=5)
    assert (space.scale, space.theta) == ("residual", 5)
    counts = np.concatenate([space.counts(section.counts) for section in sections[:2]])
    np.testing.assert_allclose(space.shares, counts.sum(axis=0) / counts.sum())
    assert space.clip == np.sqrt(len(counts) / 2)
    assert space.on_log() == ExpressionSpace.fit(sections[:2], theta=5)


def test_it_comes_back_from_json_and_its_key_names_it(sections):
    space = ExpressionSpace.fit(sections, scale="residual")
    assert build(ExpressionSpace, json.loads(json.dumps(space.to_dict())), where="model") == space
    others = [space.on_log(), ExpressionSpace.fit(sections[:2], genes=space.genes, scale="residual")]
    assert len({identity.of("space", each) for each in (space, *others)}) == 3
    assert str(space) == "Pearson residuals of counts (negative binomial, theta 10)"


def test_what_an_older_model_said_is_the_log_scale():
    old = {"genes": ["A"], "target_sum": 1e4, "log_base": 10.0, "axis": "spot"}
    assert build(ExpressionSpace, old, where="model") == ExpressionSpace(("A",))


def test_a_model_and_its_predictions_carry_it(model, sections, tmp_path):
    again = load_model(save_model(model, tmp_path / "run"), methods=list_methods())
    assert again.space_ == model.space_
    predicted = again.predict(sections[2].tiles)
    back = read_prediction(write_prediction(predicted, tmp_path / "p.h5ad"))
    assert ExpressionSpace.of_prediction(back) == model.space_
    assert ExpressionSpace.of_record(back.uns["mclstexp"]["space"]).scale == "residual"
    log = create("mean").fit(sections[:2]).predict(sections[2].tiles)
    assert list(log.var) == ["training_low", "training_high"]  # of residuals there is a column more
    assert ExpressionSpace.of_prediction(log).scale == "log"


def test_genes_that_are_kept_of_a_prediction_keep_their_shares(model, sections):
    few = model.predict(sections[2].tiles)[:, [3, 1]].copy()
    space = ExpressionSpace.of_prediction(few)
    assert space.shares == (model.space_.shares[3], model.space_.shares[1])


def test_the_highest_genes_are_those_of_the_log_scale(sections):
    space = ExpressionSpace.fit(sections, scale="residual")
    assert select_heg(sections, space=space, n_genes=5) == select_heg(sections, space=space.on_log(), n_genes=5)


def test_residuals_are_no_amounts():
    truth = np.random.default_rng(0).normal(size=(20, 2))
    assert np.isnan(js(truth, truth)).all()


def test_sepals_mask_is_of_counts_on_either_scale(sections):
    method = SEPAL(masked=True)
    method.space_ = ExpressionSpace.fit(sections, scale="residual")
    counted = method._counted(sections).numpy()
    log = np.concatenate([method.space_.on_log()(section.counts) for section in sections])
    np.testing.assert_array_equal(counted, log > 0)


def test_a_checkpoint_of_the_log_scale_is_refused():
    _space().on_log().require_log("a checkpoint of st_net")
    with pytest.raises(InputError, match="scale = 'log' expected for a checkpoint of st_net, found 'residual'"):
        _space().require_log("a checkpoint of st_net")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"scale": "sqrt"}, "'log' or 'residual'"),
        ({"theta": 0}, "positive and finite"),
        ({"theta": float("inf")}, "positive and finite"),
        ({"axis": "gene"}, "axis = 'spot' expected"),
        ({"shares": (0.5, 0.5)}, "a positive share of each of 3 genes"),
        ({"shares": (0.5, 0.5, 0.0)}, "found 2"),
        ({"clip": 0}, "positive clip"),
    ],
)
def test_what_makes_no_sense_is_refused(given, sentence):
    with pytest.raises(InputError, match=sentence):
        _space(**given)
