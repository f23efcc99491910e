"""Who wins: every method learns from a fold's training sections and is judged on the others."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.measured import blank_spots
from mclstexp.core.predictor import Predictor, options
from mclstexp.data.folds import Fold
from mclstexp.evaluation.comparison import Keep
from mclstexp.evaluation.controls import missing_controls
from mclstexp.evaluation.exam import (
    HEG50,
    Exam,
    GeneSetRule,
    Rules,
    SpaceRule,
    cost,
    failure,
    mark,
    prepare,
    references,
    scorable,
    too_small,
)
from mclstexp.evaluation.score_ceilings import with_ceilings
from mclstexp.evaluation.score_table import COLUMNS
from mclstexp.io.writing import is_of_writing

_log = logging.getLogger(__name__)


def evaluate(
    folds: Iterable[Fold],
    methods: Mapping[str, Predictor],
    *,
    space: SpaceRule = ExpressionSpace.fit,
    gene_sets: Mapping[str, GeneSetRule] = HEG50,
    controls: Mapping[str, Predictor] | None = None,
    rules: Rules | None = None,
) -> pd.DataFrame:
    """Fit and score every method on every fold, one after the other in this process.

    Panel, scale and gene sets come from training sections; of the test sections a method sees the tiles alone. What is
    left out (spots without counts, sections of few spots, genes that a test section lacks) is warned of, once a
    section. `mclstexp.api.run_experiment` does the same in processes of
    their own, resumes what was interrupted and writes the results.

    Parameters
    ----------
    folds
        From `folds_by_patient`, or knowingly from `folds_by_section`.
    methods
        Methods with their options, by the label they are reported under. They are copied, never fitted themselves.
    space, gene_sets
        How scale and panel, and the subsets reported apart, are learnt in each fold.
    controls
        Methods added to the table; by default those that are missing, see `missing_controls`.
    rules
        All of it, with protocol and `transductive`; then `space` and `gene_sets` are not looked at.

    Returns
    -------
    A tidy table, one row per method, fold, section, gene and metric (`GENE_METRICS`), in `COLUMNS` and a boolean
    column per gene set. Metrics of a whole section (`SECTION_METRICS`) have no gene. The kind "reference" marks the
    depth oracle and the noise ceiling. A method that fails in a fold leaves one row with the metric "failed" and the
    reason; the others go on.

    Raises
    ------
    InputError
        If a fold's sections share no gene, the space cannot be learnt, or a step is transductive and none is let in.
    """
    rules = Rules(space=space, gene_sets=gene_sets) if rules is None else rules
    folds, methods = _as_folds(folds), _as_methods(methods)
    methods = {**(missing_controls(methods) if controls is None else controls), **methods}
    check_methods(methods, transductive=rules.transductive)
    tables, said = [], dict.fromkeys(left_out(folds, rules))
    for fold in scorable(folds, rules):
        exam = prepare(fold, rules)
        said |= dict.fromkeys(exam.notes)
        tables += [sit(exam, method, label=label) for label, method in methods.items()]
        tables.append(references(exam))
    for sentence in said:
        warnings.warn(sentence, stacklevel=2)
    if not tables:
        return pd.DataFrame(columns=[*COLUMNS, *rules.gene_sets])
    return join_scores(tables)


def _as_folds(given: object) -> list[Fold]:
    folds: list[Any] = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    for part in folds:
        if not isinstance(part, Fold):
            msg = f"folds expected, found {type(part).__name__}: give what folds_by_patient(sections) returns"
            raise InputError(msg)
    return folds


def _as_methods(given: object) -> dict[str, Predictor]:
    if not isinstance(given, Mapping):
        msg = (
            f"methods by the label they are reported under expected, found {type(given).__name__}: "
            'write {"ridge": mclstexp.create("ridge")}'
        )
        raise InputError(msg)
    for label, method in given.items():
        if not isinstance(method, Predictor):
            how = f"mclstexp.create({method!r})" if isinstance(method, str) else "mclstexp.create(NAME)"
            msg = f"a method under the label {label!r} expected, found {type(method).__name__}: write {how}"
            raise InputError(msg)
    return dict(given)


def sit(
    exam: Exam, method: Predictor, *, label: str, workdir: Path | None = None, keep: Keep | None = None
) -> pd.DataFrame:
    """Let a copy of a method learn, answer and be marked; whatever goes wrong is a row and not the end.

    Parameters
    ----------
    exam
        The fold.
    method
        With its options; stays as it is.
    label
        What it is called in the table.
    workdir
        Folder for checkpoints of the fit, which then goes on where it was interrupted.
    keep
        Takes each prediction, for those who want more than scores.
    """
    start = time.perf_counter()
    try:
        model = type(method)(**options(method)).fit(
            exam.fold.train, space=exam.space, workdir=workdir, min_counts=exam.rules.min_counts
        )
        predicted = [model.predict(section.tiles) for section in exam.fold.test]
    except Exception as error:  # anybody's method may raise anything; the log has where
        if is_of_writing(error):  # not the method failed, but the disk
            raise
        _log.warning("%s failed in fold %s", label, exam.fold.name, exc_info=True)
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return failure(exam, label=label, method=method, reason=reason)
    seconds = time.perf_counter() - start
    tables = [cost(exam, label=label, method=method, seconds=seconds)]
    for section, answer in zip(exam.fold.test, predicted, strict=True):
        if section in exam.judged:
            tables.append(mark(exam, section, answer.X, label=label, method=method))
        if keep is not None:
            keep(answer, section.id)
    return pd.concat(tables, ignore_index=True)


def left_out(folds: Sequence[Fold], rules: Rules) -> list[str]:
    """Say of each section what of it is neither learnt nor scored, each sentence by the section's name."""
    sections = {section.id: section for fold in folds for section in (*fold.train, *fold.test)}
    return [
        f"{section.id}: {sentence}"
        for section in sections.values()
        for sentence in (*blank_spots(section, min_counts=rules.min_counts), *too_small(section, rules))
    ]


def check_methods(methods: Mapping[str, Predictor], *, transductive: bool) -> None:
    """Refuse methods that look at the test sections as a whole where that is not let in.

    Raises
    ------
    InputError
        If there is one.
    """
    looking = [label for label, method in methods.items() if method.transductive]
    if looking and not transductive:
        msg = (
            f"methods that predict tile by tile expected, found {looking[0]!r}, which learns from the test tiles as a "
            "set: say transductive = true if that is meant"
        )
        raise InputError(msg)


def join_scores(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Put tables of scores one below the other, with the ceilings; text that repeats is kept once (categories)."""
    scores = with_ceilings(pd.concat(tables, ignore_index=True))
    return scores.astype({name: "category" for name in COLUMNS if name not in ("transductive", "tuned", "value")})
