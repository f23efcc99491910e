"""The answer cannot reach a prediction: held-out counts are replaced, and nothing moves by a bit."""

from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.panel import select_hvg
from mclstexp.core.predictor import Predictor
from mclstexp.core.tiles import Slide, Tiles
from mclstexp.data.folds import Fold, folds_by_patient, folds_by_section
from mclstexp.data.genes import select_heg
from mclstexp.evaluation.conformance import with_counts
from mclstexp.evaluation.exam import Rules, prepare
from mclstexp.evaluation.harness import evaluate
from small_methods import small_methods, small_sections

METHODS = small_methods()
SOME = {"mean", "knn", "pls", "bleep"}

# Fewer genes than are measured, so that there is a choice to be spoilt: of a panel of all, noise could move nothing.
SPACE = partial(ExpressionSpace.fit, genes=partial(select_hvg, n_genes=8))
GENE_SETS = {"top": partial(select_heg, n_genes=3)}


@pytest.fixture(scope="module")
def sections():
    return small_sections()


def _noise(section):
    return with_counts(section, np.random.default_rng(0).poisson(7, section.counts.shape))


def _whole_run(fold, methods, monkeypatch):
    """Run the harness over methods; return its scores, and the models and predictions it made on the way."""
    models, predicted = [], []
    fit, predict = Predictor.fit, Predictor.predict
    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "fit", lambda self, *a, **k: models.append(fit(self, *a, **k)) or models[-1])
        patch.setattr(Predictor, "predict", lambda self, *a: predicted.append(predict(self, *a)) or predicted[-1])
        scores = evaluate([fold], {m.label: m.create() for m in methods}, space=SPACE, gene_sets=GENE_SETS, controls={})
    assert not (scores["metric"] == "failed").any()
    return scores, models, predicted


@pytest.mark.parametrize("which", ["some", pytest.param("all", marks=pytest.mark.slow)])
def test_held_out_noise_moves_nothing_but_the_scores(which, sections, monkeypatch):
    """Each method alone is put to this, and to shuffled and emptied counts, in test_conformance.py."""
    methods = [method for method in METHODS if which == "all" or method.label in SOME]
    *train, test = sections
    assert (_noise(test).counts.X != test.counts.X).nnz > 0
    honest, models, predicted = _whole_run(Fold("f", tuple(train), (test,)), methods, monkeypatch)
    spoilt, others, other_predicted = _whole_run(Fold("f", tuple(train), (_noise(test),)), methods, monkeypatch)
    assert len(models) == len(others) == len(predicted) == len(methods) >= len(SOME)
    for model, other in zip(models, others, strict=True):
        one, two = model._get_state(), other._get_state()
        assert (model.space_, one.meta) == (other.space_, two.meta)
        assert set(one.arrays) == set(two.arrays)
        for name, array in one.arrays.items():
            np.testing.assert_array_equal(two.arrays[name], array, err_msg=f"{model.name}: {name}")
    for one, two in zip(predicted, other_predicted, strict=True):
        np.testing.assert_array_equal(one.X, two.X)
    assert list(spoilt["gene"]) == list(honest["gene"])
    np.testing.assert_array_equal(spoilt["top"], honest["top"])
    assert not spoilt.query("metric == 'pcc'")["value"].equals(honest.query("metric == 'pcc'")["value"])


def test_there_is_a_choice_to_be_spoilt(sections):
    *train, test = sections
    honest, spoilt = SPACE(train), SPACE([*train, _noise(test)])
    assert set(honest.genes) != set(spoilt.genes)
    rule = GENE_SETS["top"]
    assert set(rule(train, space=honest)) != set(rule([_noise(test)], space=honest))


def test_the_baseline_of_r2_is_learnt_before_the_test(sections):
    *train, test = sections
    exams = [
        prepare(Fold("f", tuple(train), (section,)), Rules(space=SPACE, gene_sets=GENE_SETS))
        for section in (test, _noise(test))
    ]
    np.testing.assert_array_equal(exams[0].train_mean, exams[1].train_mean)


def test_tiles_have_no_place_for_expression():
    assert {field.name for field in fields(Tiles)} == {"slide", "xy", "ids", "spec", "array_xy"}
    assert set(Slide.__annotations__) == {"id", "mpp", "size_px", "stored"}


def test_a_method_gets_tiles_and_not_the_section(sections, monkeypatch):
    from mclstexp.methods.mean import Mean

    given = []
    monkeypatch.setattr(Mean, "_predict", lambda self, tiles: given.append(tiles) or np.zeros((len(tiles), 30)))
    *train, test = sections
    evaluate([Fold("f", tuple(train), (test,))], {"mean": Mean()}, controls={})
    assert given == [test.tiles]


def test_folds_by_patient_share_none(sections):
    doubled = [*sections, *(replace(section, id=f"{section.id}b") for section in sections)]
    folds = folds_by_patient(doubled)
    assert len(folds) == 3
    for fold in folds:
        assert not {s.patient for s in fold.train} & {s.patient for s in fold.test}
    assert {s.id for fold in folds for s in fold.test} == {s.id for s in doubled}


def test_sharing_a_patient_must_be_asked_for_by_name(sections):
    serial = [replace(section, patient="P") for section in sections]
    with pytest.raises(InputError, match="patients on one side only expected, found 'P' on both"):
        Fold("f", train=serial[:2], test=serial[2:])
    with pytest.raises(InputError, match="need at least two patients"):
        folds_by_patient(serial)
    assert {fold.by for fold in folds_by_section(serial)} == {"section"}
