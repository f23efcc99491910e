"""Settling what is left open (epochs, k, a penalty) on held-out training sections: never on the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.section import Section
from mclstexp.data.folds import split_validation, tuning_units

T = TypeVar("T")

_N_GROUPS = 5


def choose(
    sections: Sequence[Section],
    candidates: Sequence[T],
    score: Callable[[list[Section], list[Section], T], float],
    *,
    usual: T,
    seed: int = 0,
    in_turn: bool = False,
) -> T:
    """Try candidates on some training sections and keep the one that scores best on the others.

    Parameters
    ----------
    sections
        Training sections of a fold.
    candidates
        What is tried, the simplest first: it wins a draw.
    score
        Called as ``score(fitted_on, held_out, candidate)``; larger is better.
    usual
        Taken where there is nothing to choose on: one section, or one candidate.
    seed
        Which sections are set aside (a fifth of the patients, at least one; see `split_validation`).
    in_turn
        Set every patient (section, where there are fewer than three patients) aside once, in at most five groups,
        and average the scores: five times the work, and no luck in who is set aside. `seed` then says nothing.
    """
    if len(candidates) == 1:
        return candidates[0]
    if len(sections) < 2:
        return usual
    splits = _each_in_turn(sections) if in_turn else [split_validation(sections, seed=seed)]
    scores = [[score(fitted_on, held_out, candidate) for candidate in candidates] for fitted_on, held_out in splits]
    return candidates[int(np.argmax(np.mean(scores, axis=0)))]


def _each_in_turn(sections: Sequence[Section]) -> list[tuple[list[Section], list[Section]]]:
    patients = tuning_units(sections)
    by_patient = len(set(patients)) >= 3  # as `split_validation` has it
    unit = {s.id: patient if by_patient else s.id for s, patient in zip(sections, patients, strict=True)}
    units = sorted(set(unit.values()))
    groups = [set(units[start::_N_GROUPS]) for start in range(min(_N_GROUPS, len(units)))]
    return [
        ([s for s in sections if unit[s.id] not in group], [s for s in sections if unit[s.id] in group])
        for group in groups
    ]


def mean_pcc(held_out: Sequence[Section], predict: Callable[[Section], np.ndarray], *, space: ExpressionSpace) -> float:
    """Average the PCC per gene over genes and sections; genes without a score count as 0."""
    values = [np.nan_to_num(pearson_per_gene(space(s.counts), predict(s))).mean() for s in held_out]
    return float(np.mean(values))
