"""What every method of the questions beside images promises: ``mclstexp check imputation.gene_ridge``.

A room says in its file ``trial.py`` how its question is put on small made-up sections, and what of them is hidden.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from anndata import AnnData
from scipy import sparse

from mclstexp.core import keys
from mclstexp.core.method import Method, options
from mclstexp.core.room import Room
from mclstexp.evaluation.promises import (
    Result,
    hold,
    options_are_explained,
    public_methods_are_the_base_classes,
    put,
)
from mclstexp.io.predictions import read_prediction, write_prediction


@dataclass(frozen=True, eq=False)
class Trial:
    """A question put on made-up sections, and the same with what is hidden changed."""

    ask: Callable[..., AnnData]
    """Puts the question: called with a method and the parts of `given`."""
    given: tuple[AnnData, ...]
    """Counts that the question is about; what is hidden among them."""
    hidden: Mapping[str, tuple[AnnData, ...]]
    """`given` with what is hidden changed, by what was done to it: no answer may move by a bit."""
    rows: Sequence[str]
    """What the answer's rows are called."""
    columns: Sequence[str]
    """What its columns are called."""
    checks: Sequence[Callable[[TrialSubject], None]] = ()
    """Promises that methods of this question make beside `CHECKS`."""


@dataclass
class TrialSubject:
    """A way to make a method, and the question it is put to."""

    make: Callable[[], Method]
    """Makes it, with equal options each time."""
    trial: Trial
    """The question."""

    @cached_property
    def answer(self) -> AnnData:
        """What it says."""
        return self.trial.ask(self.make(), *self.trial.given)


def answers_are_whole(subject: TrialSubject) -> None:
    """An answer has a row for each place and a column for each thing asked, finite float32."""
    said, trial = subject.answer, subject.trial
    hold(said.shape == (len(trial.rows), len(trial.columns)), f"its shape is {said.shape}")
    hold(list(said.obs_names) == list(trial.rows), "rows are not named after the places, in their order")
    hold(list(said.var_names) == list(trial.columns), "columns are not named after what was asked, in its order")
    for name, values in _values(said).items():
        good = values.dtype == np.float32 and bool(np.isfinite(values).all())
        hold(good, f"numbers of {name} are not finite float32")


def one_seed_gives_one_answer(subject: TrialSubject) -> None:
    """Asked the same again, a method with the same options says the very same."""
    again = subject.trial.ask(subject.make(), *subject.trial.given)
    hold(_equal(again, subject.answer), "a second time it says something else")


def nothing_is_kept_between_questions(subject: TrialSubject) -> None:
    """What it was asked before moves no answer."""
    method, trial = subject.make(), subject.trial
    trial.ask(method, *(counts[::-1].copy() if i else counts for i, counts in enumerate(trial.given)))
    trial.ask(method, *next(iter(trial.hidden.values())))
    hold(_equal(trial.ask(method, *trial.given), subject.answer), "a question put before changes its answer")


def leaves_the_callers_things_alone(subject: TrialSubject) -> None:
    """It changes neither its options nor what it was given."""
    method, given = subject.make(), tuple(counts.copy() for counts in subject.trial.given)
    said = dict(options(method))
    subject.trial.ask(method, *given)
    hold(options(method) == said, "options are changed by a question")
    for now, before in zip(given, subject.trial.given, strict=True):
        hold(_same_counts(now, before), "what it was given is changed by a question")


def answers_say_how_they_were_made(subject: TrialSubject) -> None:
    """An answer carries the question, the method and its options, even from a file."""
    with tempfile.TemporaryDirectory() as folder:
        read = read_prediction(write_prediction(subject.answer, Path(folder) / "a.h5ad"))
    made, method = read.uns[keys.PROVENANCE], subject.make()
    hold(made["method"] == method.name, "the method is not named")
    hold("question" in made and "version" in made, "question or version is not named")
    hold(set(made["options"]) == set(options(method)), "options are not told")
    hold(made.get("numerics", {}) == method._numerics(), "precision or device is not told")
    hold(_equal(read, subject.answer), "a file does not give back what was written")


def what_is_hidden_moves_nothing(subject: TrialSubject) -> None:
    """What is hidden from it, replaced by random numbers or taken away, moves no answer by a bit."""
    for what, given in subject.trial.hidden.items():
        said = subject.trial.ask(subject.make(), *given)
        hold(_equal(said, subject.answer), f"the answer moves with {what}")


CHECKS: Final[tuple[Callable[[TrialSubject], None], ...]] = (
    options_are_explained,
    public_methods_are_the_base_classes,
    answers_are_whole,
    one_seed_gives_one_answer,
    nothing_is_kept_between_questions,
    leaves_the_callers_things_alone,
    answers_say_how_they_were_made,
    what_is_hidden_moves_nothing,
)
"""All checks, the cheapest first."""


def trial_of(room: Room[Any]) -> Trial:
    """Return the question of a room, on made-up sections (its file ``trial.py``)."""
    made: Trial = importlib.import_module(f"{room.package}.trial").make_trial()
    return made


def run_trial(make: Callable[[], Method], trial: Trial) -> list[Result]:
    """Put a method of a question beside images to every check; one that raises has failed."""
    return put((*CHECKS, *trial.checks), TrialSubject(make, trial))


def with_values(counts: AnnData, values: np.ndarray) -> AnnData:
    """Return counts with other values of the same spots and genes."""
    changed = counts.copy()
    changed.X = sparse.csr_matrix(values.astype(np.int32))
    return changed


def _values(said: AnnData) -> dict[str, np.ndarray]:
    return {"X": np.asarray(said.X), **{name: np.asarray(layer) for name, layer in said.layers.items()}}


def _equal(one: AnnData, other: AnnData) -> bool:
    mine, yours = _values(one), _values(other)
    return mine.keys() == yours.keys() and all(np.array_equal(values, yours[name]) for name, values in mine.items())


def _same_counts(one: AnnData, other: AnnData) -> bool:
    alike = one.shape == other.shape and one.obs.equals(other.obs) and one.var.equals(other.var)
    return alike and (sparse.csr_matrix(one.X) != sparse.csr_matrix(other.X)).nnz == 0
