"""The answer cannot reach a prediction: held-out counts are replaced, and nothing moves by a bit."""

from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.panel import select_hvg
from mclstexp.core.tiles import Slide, Tiles
from mclstexp.data.folds import Fold, folds_by_patient, folds_by_section
from mclstexp.data.genes import select_heg
from mclstexp.evaluation import harness
from mclstexp.evaluation.harness import evaluate
from small_methods import small_methods, small_sections

METHODS = small_methods()

# Fewer genes than are measured, so that there is a choice to be spoilt: of a panel of all, noise could move nothing.
SPACE = partial(ExpressionSpace.fit, genes=partial(select_hvg, n_genes=8))
GENE_SETS = {"top": partial(select_heg, n_genes=3)}


@pytest.fixture(scope="module")
def sections():
    return small_sections()


def _with_counts(section, matrix):
    return replace(section, counts=AnnData(sparse.csr_matrix(matrix), obs=section.counts.obs, var=section.counts.var))


def _noise(section, seed=0):
    return _with_counts(section, np.random.default_rng(seed).poisson(7, section.counts.shape))


def _shuffled(section):
    return _with_counts(section, section.counts.X.toarray()[np.random.default_rng(0).permutation(len(section))])


def _emptied(section):
    return _with_counts(section, np.zeros(section.counts.shape, int))


def _whole_run(fold, method, monkeypatch):
    """Run the harness; return scores, and the panel, state and predictions of the model it fitted."""
    seen = {}
    cls = type(method.create())
    fit, predict = cls._fit, cls._predict

    def spied_fit(self, train):
        fit(self, train)
        seen["model"] = self

    def spied_predict(self, tiles):
        seen["predicted"] = predict(self, tiles)
        return seen["predicted"]

    with monkeypatch.context() as patch:
        patch.setattr(cls, "_fit", spied_fit)
        patch.setattr(cls, "_predict", spied_predict)
        scores = evaluate([fold], {"m": method.create()}, space=SPACE, gene_sets=GENE_SETS)
    assert not (scores["metric"] == "failed").any()
    return scores, seen["model"], seen["predicted"]


@pytest.mark.parametrize("change", [_noise, _shuffled, _emptied], ids=["noise", "shuffled", "emptied"])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.label)
def test_held_out_counts_move_nothing_but_the_scores(method, change, sections, monkeypatch):
    *train, test = sections
    assert (change(test).counts.X != test.counts.X).nnz > 0
    honest = _whole_run(Fold("f", tuple(train), (test,)), method, monkeypatch)
    changed = _whole_run(Fold("f", tuple(train), (change(test),)), method, monkeypatch)
    assert changed[1].space_ == honest[1].space_
    one, other = honest[1]._get_state(), changed[1]._get_state()
    assert one.meta == other.meta
    assert set(one.arrays) == set(other.arrays)
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(other.arrays[name], array, err_msg=name)
    np.testing.assert_array_equal(changed[2], honest[2])
    assert list(changed[0]["gene"]) == list(honest[0]["gene"])
    np.testing.assert_array_equal(changed[0]["top"], honest[0]["top"])


def test_there_is_a_choice_to_be_spoilt(sections):
    *train, test = sections
    honest, spoilt = SPACE(train), SPACE([*train, _noise(test)])
    assert set(honest.genes) != set(spoilt.genes)
    rule = GENE_SETS["top"]
    assert set(rule(train, space=honest)) != set(rule([_noise(test)], space=honest))


def test_the_baseline_of_r2_is_learnt_before_the_test(sections):
    *train, test = sections
    exams = [
        harness._prepare(Fold("f", tuple(train), (section,)), space=SPACE, gene_sets=GENE_SETS)
        for section in (test, _noise(test))
    ]
    np.testing.assert_array_equal(exams[0].train_mean, exams[1].train_mean)


def test_tiles_have_no_place_for_expression():
    assert {field.name for field in fields(Tiles)} == {"slide", "xy", "ids", "spec", "array_xy"}
    assert set(Slide.__annotations__) == {"id", "mpp", "size_px"}


def test_a_method_gets_tiles_and_not_the_section(sections, monkeypatch):
    from mclstexp.methods.mean import Mean

    given = []
    monkeypatch.setattr(Mean, "_predict", lambda self, tiles: given.append(tiles) or np.zeros((len(tiles), 30)))
    *train, test = sections
    evaluate([Fold("f", tuple(train), (test,))], {"mean": Mean()})
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
