"""What every method of the questions beside images promises, whoever wrote it; what is hidden reaches no answer."""

import re
from dataclasses import dataclass

import numpy as np
import pytest

from mclstexp.api import check_method
from mclstexp.core.errors import InputError
from mclstexp.core.imputer import ROOM, Imputed, Imputer
from mclstexp.core.rooms import NEIGHBOURS, room_of
from mclstexp.evaluation.promises import options_are_explained, public_methods_are_the_base_classes, put
from mclstexp.evaluation.trial import (
    CHECKS,
    TrialSubject,
    answers_are_whole,
    leaves_the_callers_things_alone,
    nothing_is_kept_between_questions,
    one_seed_gives_one_answer,
    run_trial,
    trial_of,
    what_is_hidden_moves_nothing,
)
from small_neighbours import neighbours


@pytest.fixture(scope="module")
def trials():
    return {question: trial_of(room) for question, room in NEIGHBOURS.items()}


@pytest.fixture(scope="module")
def subjects(trials):
    made = {}

    def subject(room, make):
        return made.setdefault(make, TrialSubject(make, trials[room.question]))

    return subject


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("room", "make"), neighbours())
def test_it_keeps_the_promise(room, make, check, subjects):
    check(subjects(room, make))  # raises AssertionError with the sentence


@dataclass
class _Guess(Imputer):
    """Says the spots' depth."""

    name = "guess"
    strength: float = 1.0
    """How much."""

    def _impute(self, known):
        return Imputed(np.repeat(self.strength * known.depth[:, None], len(known.targets), axis=1))


class _Leaking(_Guess):
    """Looks at what is hidden."""

    def impute(self, counts, reference, *, genes=None):
        said = super().impute(counts, reference, genes=genes)
        seen = counts.var_names.intersection(genes)
        said.X[:, : len(seen)] += counts[:, seen].X.toarray()
        return said


class _Rolling(_Guess):
    """Draws without a seed."""

    def _impute(self, known):
        values = super()._impute(known).values
        return Imputed(values + np.random.default_rng().normal(size=values.shape))


class _Remembering(_Guess):
    """Keeps what it was asked."""

    def _impute(self, known):
        values = super()._impute(known).values
        self.kept = getattr(self, "kept", 0) + 1
        return Imputed(values * self.kept)


class _Spoiling(_Guess):
    """Writes into what it was given."""

    def impute(self, counts, reference, *, genes=None):
        said = super().impute(counts, reference, genes=genes)
        counts.X.data[:] = 1
        return said


class _Endless(_Guess):
    """Divides by zero."""

    def _impute(self, known):
        return Imputed(super()._impute(known).values * np.inf)


@dataclass
class _Unexplained(_Guess):
    """Has an option without a sentence."""

    bare: int = 1


def test_who_keeps_all_promises_passes(trials):
    assert all(result.passed for result in run_trial(_Guess, trials["imputation"]))


@pytest.mark.parametrize(
    ("cls", "check", "reason"),
    [
        (_Leaking, what_is_hidden_moves_nothing, "the answer moves with hidden genes replaced by random numbers"),
        (_Leaking, public_methods_are_the_base_classes, "impute of Imputer is final, and is written anew"),
        (_Rolling, one_seed_gives_one_answer, "a second time it says something else"),
        (_Remembering, nothing_is_kept_between_questions, "a question put before changes its answer"),
        (_Spoiling, leaves_the_callers_things_alone, "what it was given is changed by a question"),
        (_Endless, answers_are_whole, "RuntimeError: guess returned .* numbers that are not finite"),
        (_Unexplained, options_are_explained, "no sentence stands under bare"),
    ],
)
def test_a_broken_promise_is_said(cls, check, reason, trials):
    (result,) = put([check], TrialSubject(cls, trials["imputation"]))
    assert not result.passed
    assert re.search(reason, result.reason)


OWN = '''
from dataclasses import dataclass

from mclstexp.core.imputer import Imputed, Imputer, register


@register("patchy")
@dataclass
class Patchy(Imputer):
    """Means of the nearest gene alone."""

    strength: float = 1.0
    """How much of it."""

    def _impute(self, known):
        return Imputed({value})
'''


def test_a_file_of_ones_own_is_checked_as_its_question_asks(said, trials, tmp_path, monkeypatch):
    monkeypatch.setattr(ROOM, "_known", dict(ROOM.methods()))  # other tests need not know it
    monkeypatch.setattr("mclstexp.api.experiments.trial_of", lambda room: trials[room.question])
    (tmp_path / "own.py").write_text(OWN.format(value="self.strength * known.spots[:, [0] * len(known.targets)]"))
    code, text, errors = said("check", tmp_path / "own.py", "--option", "strength=0.5")
    assert (code, errors) == (0, "")
    assert f"{len(CHECKS)} of {len(CHECKS)} checks passed" in text
    monkeypatch.setattr(ROOM, "_known", dict(ROOM.registered()))
    (tmp_path / "two.py").write_text(OWN.format(value="known.spots").replace("patchy", "two"))
    code, text, _ = said("check", tmp_path / "two.py")
    assert code == 1
    assert "FAILED: An answer has a row for each place and a column for each thing asked, finite float32." in text


def test_methods_are_named_with_their_question(said):
    assert [room_of(name)[0].question for name in ("gene_ridge", "mean", "enhancement.mean")] == [
        "imputation",
        "",
        "enhancement",
    ]
    assert [room_of(name)[1] for name in ("clinical+abmil", "outcome.clinical+abmil")] == ["clinical+abmil"] * 2
    code, _, errors = said("list", "clinical+abmli")
    assert (code, "a known method of outcome expected, found 'abmli': did you mean 'abmil'?" in errors) == (2, True)
    code, _, errors = said("check", "imputation.gene_rigde")
    assert (
        code,
        "a known method of imputation expected, found 'gene_rigde': did you mean 'gene_ridge'?" in errors,
    ) == (
        2,
        True,
    )
    with pytest.raises(InputError, match="method depth has no option 'k'"):
        check_method("imputation.depth", ["k=3"])


@pytest.mark.parametrize("name", ["km", "clinical", "prototype_x_pathway", "mmp"])
def test_models_of_outcomes_promise_more(name, trials):
    make = next(one.values[1] for one in neighbours() if one.id == f"outcome.{name}")
    assert not [
        result.reason
        for result in put(trials["outcome"].checks, TrialSubject(make, trials["outcome"]))
        if result.reason
    ]
