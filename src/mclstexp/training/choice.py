"""Settling what is left open (epochs, k, a penalty) on held-out training sections: never on the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.section import Section
from mclstexp.data.folds import split_validation

T = TypeVar("T")


def choose(
    sections: Sequence[Section],
    candidates: Sequence[T],
    score: Callable[[list[Section], list[Section], T], float],
    *,
    usual: T,
    seed: int = 0,
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
    """
    if len(candidates) == 1:
        return candidates[0]
    if len(sections) < 2:
        return usual
    fitted_on, held_out = split_validation(sections, seed=seed)
    scores = [score(fitted_on, held_out, candidate) for candidate in candidates]
    return candidates[int(np.argmax(scores))]


def mean_pcc(held_out: Sequence[Section], predict: Callable[[Section], np.ndarray], *, space: ExpressionSpace) -> float:
    """Average the PCC per gene over genes and sections; genes without a score count as 0."""
    values = [np.nan_to_num(pearson_per_gene(space(s.counts), predict(s))).mean() for s in held_out]
    return float(np.mean(values))
