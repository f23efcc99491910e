"""Spots without counts are not measured zeros: nothing learns from them, nobody is scored on them."""

from dataclasses import replace

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.measured import blank_spots, has_counts, learnable
from mclstexp.data.folds import folds_by_section
from mclstexp.evaluation.conformance import with_counts
from mclstexp.evaluation.exam import Rules, mark, prepare
from mclstexp.evaluation.harness import evaluate
from mclstexp.methods import create
from small_methods import ENCODER, small_sections


@pytest.fixture(scope="module")
def sections():
    """Three sections whose genes know no place; three spots of ten have no counts."""
    made = small_sections(3, n_spots_side=10)
    return [_blank(section, seed=n) for n, section in enumerate(made)]


def _blank(section, seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(5, section.counts.shape)
    counts[_empty(len(section), seed)] = 0
    return with_counts(section, counts)


def _empty(n_spots, seed):
    return np.random.default_rng(100 + seed).permutation(n_spots)[: round(0.3 * n_spots)]


def test_what_holds_counts(sections):
    kept = has_counts(sections[0])
    assert np.flatnonzero(~kept).tolist() == sorted(_empty(len(kept), 0))
    assert has_counts(sections[0], min_counts=0).all()
    assert not has_counts(sections[0], min_counts=10**6).any()
    two = ExpressionSpace(sections[0].genes[:2])
    of_panel = sections[0].counts.X[:, :2].sum(axis=1).A1 > 0
    assert np.array_equal(has_counts(sections[0], space=two), of_panel)
    assert np.array_equal(has_counts(sections[0], space=replace(two, axis="gene")), kept)


def test_they_are_counted_aloud(sections):
    n_spots = len(sections[0])
    (sentence,) = blank_spots(sections[0])
    assert sentence.startswith(f"{round(0.3 * n_spots)} of {n_spots} spots (")
    assert "have no counts: they are neither learnt nor scored" in sentence
    assert "fewer than 7 counts" in blank_spots(sections[0], min_counts=7)[0]
    assert blank_spots(sections[0], min_counts=0) == []


def test_a_section_without_any_is_left_out_and_nothing_at_all_refused(sections):
    nothing = with_counts(sections[1], np.zeros(sections[1].counts.shape))
    assert [s.id for s in learnable([sections[0], nothing])] == [sections[0].id]
    with pytest.raises(InputError, match="at least 1 counts to learn from expected, found none in 1 sections"):
        learnable([nothing])


def test_fit_learns_from_spots_with_counts_alone_and_says_so(sections):
    with pytest.warns(UserWarning, match=r"\d+ of \d+ spots .* have no counts: they are neither learnt") as caught:
        model = create("knn", encoder=ENCODER, k=1).fit(sections[:2])
    assert [str(w.message).partition(":")[0] for w in caught] == [s.id for s in sections[:2]]
    clean = create("knn", encoder=ENCODER, k=1).fit([s.take(has_counts(s)) for s in sections[:2]])
    predicted = model.predict(sections[0].tiles)
    np.testing.assert_array_equal(predicted.X, clean.predict(sections[0].tiles).X)
    assert len(predicted) == len(sections[0]), "predicted everywhere"
    assert (predicted.X.sum(axis=1) > 0).all()
    assert model.provenance_["min_counts"] == 1
    all_spots = create("knn", encoder=ENCODER, k=1).fit(sections[:2], min_counts=0)
    assert (all_spots.predict(sections[0].tiles).X.sum(axis=1) == 0).any()


def test_knowing_which_spots_hold_counts_is_no_longer_rewarded(sections):
    fold = folds_by_section(sections)[2]
    scores = {}
    for min_counts in (0, 1):
        exam = prepare(fold, Rules(min_counts=min_counts))
        test = exam.fold.test[0]
        jitter = 0.01 * np.random.default_rng(0).normal(size=len(test))
        knows = (has_counts(test) + jitter)[:, None] * np.ones(len(exam.space.genes))
        rows = mark(exam, test, knows.astype(np.float32), label="m", method=create("mean"))
        scores[min_counts] = rows[rows["metric"] == "pcc"]["value"].mean()
        assert len(exam.fold.test[0]) == len(sections[2]), "asked everywhere"
    assert scores[0] > 0.8
    assert abs(scores[1]) < 0.05


def test_evaluate_warns_once_a_section(sections):
    with pytest.warns(UserWarning, match="neither learnt nor scored") as caught:
        scores = evaluate(folds_by_section(sections), {"mean": create("mean")}, controls={})
    said = [str(warning.message).partition(":")[0] for warning in caught if warning.category is UserWarning]
    assert sorted(said) == sorted(section.id for section in sections)
    assert not (scores["metric"] == "failed").any()
