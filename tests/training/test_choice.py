"""What is left open is settled on sections set aside: one group of them, or each in its turn."""

from dataclasses import replace

import numpy as np
import pytest

from mclstexp.core.expression import ExpressionSpace
from mclstexp.training.choice import choose, mean_pcc
from small_methods import small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections(4)


def _tried(sections, **options):
    """Candidates 1 and 2, of which 2 is better; return the choice and the sides it was made on."""
    sides = []

    def score(fitted_on, held_out, candidate):
        sides.append(({s.id for s in fitted_on}, {s.id for s in held_out}, candidate))
        return float(candidate)

    return choose(sections, [1, 2], score, usual=7, **options), sides


def test_the_best_on_the_set_aside_is_kept(sections):
    chosen, sides = _tried(sections)
    assert chosen == 2
    assert [candidate for *_, candidate in sides] == [1, 2]
    for fitted_on, held_out, _ in sides:
        assert not fitted_on & held_out
        assert fitted_on | held_out == {s.id for s in sections}


def test_the_simplest_wins_a_draw(sections):
    assert choose(sections, [3, 1, 2], lambda *_: 0.5, usual=7) == 3


def test_with_nothing_to_choose_on_the_usual_is_taken(sections):
    assert _tried(sections[:1]) == (7, [])
    assert choose(sections, [5], lambda *_: 1 / 0, usual=7) == 5


@pytest.mark.parametrize("n_patients", [1, 4])
def test_in_turn_everybody_is_set_aside_once(sections, n_patients):
    twice = [replace(s, id=f"{s.id}{n}", patient=s.patient if n_patients == 4 else "P") for s in sections for n in "ab"]
    _, sides = _tried(twice, in_turn=True)
    aside = [held_out for _, held_out, candidate in sides if candidate == 1]
    assert sorted(name for held_out in aside for name in held_out) == sorted(s.id for s in twice)
    assert len(aside) == (4 if n_patients == 4 else 5)
    if n_patients == 4:  # whole patients
        assert all(len(held_out) == 2 for held_out in aside)


def test_in_turn_scores_are_averaged(sections):
    luck = iter([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 9.0, 0.0])  # the first candidate wins once, and by far
    assert choose(sections, ["a", "b"], lambda *_: next(luck), usual="c", in_turn=True) == "a"


def test_a_gene_without_a_score_counts_as_nothing(sections):
    space = ExpressionSpace(sections[0].genes)
    truth = {s.id: space(s.counts) for s in sections}
    assert mean_pcc(sections, lambda s: truth[s.id], space=space) == pytest.approx(1.0)
    assert mean_pcc(sections, lambda s: np.zeros_like(truth[s.id]), space=space) == 0
