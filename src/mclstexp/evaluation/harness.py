"""Who wins: every method learns from a fold's training sections and is judged on the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.panel import common_genes
from mclstexp.core.predictor import Predictor, options
from mclstexp.core.section import Section
from mclstexp.data.folds import Fold
from mclstexp.data.genes import select_heg
from mclstexp.evaluation.metrics import mae, mse, pcc, r2

SpaceRule = Callable[[Sequence[Section]], ExpressionSpace]
"""Learns scale and panel from training sections: ``ExpressionSpace.fit``, or a partial of it."""

GeneSetRule = Callable[..., Sequence[str]]
"""Chooses a subset of the panel to report on: called as ``rule(training_sections, space=space)``."""

HEG50: Mapping[str, GeneSetRule] = {"heg50": select_heg}
"""The gene set of the published tables, chosen before the test."""

COLUMNS = ("method", "fold", "by", "patient", "section", "gene", "metric", "value", "reason")
"""Columns of a score table; one boolean column per gene set follows."""

# what data and machines do to a method; a TypeError or AttributeError is a bug and is shown at once
_FAILURES = (ArithmeticError, AssertionError, LookupError, MemoryError, OSError, RuntimeError, ValueError)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Exam:
    """One fold, ready for any method: what is learnt before the test is learnt here."""

    fold: Fold
    space: ExpressionSpace
    train_mean: np.ndarray
    gene_sets: dict[str, np.ndarray]


def evaluate(
    folds: Iterable[Fold],
    methods: Mapping[str, Predictor],
    *,
    space: SpaceRule = ExpressionSpace.fit,
    gene_sets: Mapping[str, GeneSetRule] = HEG50,
) -> pd.DataFrame:
    """Fit and score every method on every fold.

    Only genes that all sections of a fold name are used. Panel, scale and gene sets come from training sections;
    of the test sections a method sees the tiles alone.

    Parameters
    ----------
    folds
        From `folds_by_patient`, or knowingly from `folds_by_section`.
    methods
        Methods with their options, by the label they are reported under. They are copied, never fitted themselves.
    space
        How scale and panel are learnt in each fold.
    gene_sets
        Rules that choose subsets of the panel, by name.

    Returns
    -------
    A tidy table, one row per method, fold, section, gene and metric ("pcc", "mse", "mae", "r2"), in `COLUMNS` and a
    boolean column per gene set. A method that fails in a fold leaves one row with the metric "failed" and the
    reason; the others go on.

    Raises
    ------
    InputError
        If a fold's sections share no gene or the space cannot be learnt.
    """
    tables = []
    for fold in folds:
        exam = _prepare(fold, space=space, gene_sets=gene_sets)
        for label, method in methods.items():
            try:
                tables += _examine(exam, method, label=label)
            except _FAILURES as error:
                _log.warning("%s failed in fold %s: %s", label, fold.name, error)
                tables.append(_failure(exam, label=label, reason=f"{type(error).__name__}: {error}"))
    names = [*COLUMNS, *gene_sets]
    if not tables:
        return pd.DataFrame(columns=names)
    return pd.concat(tables, ignore_index=True)[names]


def _prepare(fold: Fold, *, space: SpaceRule, gene_sets: Mapping[str, GeneSetRule]) -> _Exam:
    genes = common_genes((*fold.train, *fold.test))
    fold = replace(
        fold, train=tuple(_restrict(s, genes) for s in fold.train), test=tuple(_restrict(s, genes) for s in fold.test)
    )
    learnt = space(fold.train)
    n_spots = sum(len(section) for section in fold.train)
    total = sum(learnt(section.counts).sum(axis=0, dtype=np.float64) for section in fold.train)
    return _Exam(
        fold=fold,
        space=learnt,
        train_mean=np.asarray(total / n_spots, np.float32),
        gene_sets={name: np.isin(learnt.genes, rule(fold.train, space=learnt)) for name, rule in gene_sets.items()},
    )


def _restrict(section: Section, genes: list[str]) -> Section:
    return section if list(section.genes) == genes else replace(section, counts=section.counts[:, genes])


def _examine(exam: _Exam, method: Predictor, *, label: str) -> list[pd.DataFrame]:
    model = type(method)(**options(method)).fit(exam.fold.train, space=exam.space)
    return [_score(exam, section, model.predict(section.tiles).X, label=label) for section in exam.fold.test]


def _score(exam: _Exam, section: Section, predicted: np.ndarray, *, label: str) -> pd.DataFrame:
    truth = exam.space(section.counts)
    values = {
        "pcc": pcc(truth, predicted),
        "mse": mse(truth, predicted),
        "mae": mae(truth, predicted),
        "r2": r2(truth, predicted, train_mean=exam.train_mean),
    }
    genes = pd.DataFrame({"gene": exam.space.genes, **exam.gene_sets})
    table = pd.concat([genes.assign(metric=metric, value=value) for metric, value in values.items()])
    return table.assign(**_where(exam, label), patient=section.patient, section=section.id, reason="")


def _failure(exam: _Exam, *, label: str, reason: str) -> pd.DataFrame:
    row = {"patient": "", "section": "", "gene": "", "metric": "failed", "value": np.nan, "reason": reason}
    return pd.DataFrame([{**_where(exam, label), **row, **dict.fromkeys(exam.gene_sets, False)}])


def _where(exam: _Exam, label: str) -> dict[str, Any]:
    return {"method": label, "fold": exam.fold.name, "by": exam.fold.by}


def summarise(scores: pd.DataFrame, *, over: Literal["patient", "section"] = "patient") -> pd.DataFrame:
    """Average scores into one row per method.

    Genes are averaged within a section, sections within a patient, then patients, so that a patient of six sections
    weighs no more than one of three.

    Parameters
    ----------
    scores
        A table of `evaluate`.
    over
        What counts once in the last average; "section" skips the averaging within patients.

    Returns
    -------
    Indexed by method, best PCC first: "pcc", "pcc_<gene set>" and their standard deviations over patients
    ("…_sd"), "mse", "mae", "r2", "n_constant" (genes of sections left out because their truth is constant),
    "n_patients", "n_sections", "n_folds", "failed" (folds and reasons, "" if none). `attrs["by"]` says what folds
    kept apart.
    """
    gene_sets = [column for column in scores.columns if column not in COLUMNS]
    units = {metric: _units(scores, metric, over=over) for metric in ("pcc", "mse", "mae", "r2")}
    units |= {f"pcc_{name}": _units(scores[scores[name].astype(bool)], "pcc", over=over) for name in gene_sets}
    table = pd.DataFrame(index=pd.Index(scores["method"].unique(), name="method"))
    for name in sorted(units, key=lambda name: not name.startswith("pcc")):
        table[name] = units[name].groupby("method").mean()
        if name.startswith("pcc"):
            table[f"{name}_sd"] = units[name].groupby("method").std()
    return _with_numbers(table, scores)


def _units(scores: pd.DataFrame, metric: str, *, over: str) -> pd.Series:
    """Mean over genes, then (for patients) over sections."""
    rows = scores[scores["metric"] == metric]
    sections = rows.groupby(["method", "patient", "section"])["value"].mean()
    return sections if over == "section" else sections.groupby(["method", "patient"]).mean()


def _with_numbers(table: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    good = scores[scores["metric"] == "pcc"]
    table["n_constant"] = good["value"].isna().groupby(good["method"]).sum()
    for name in ("patient", "section", "fold"):
        table[f"n_{name}s"] = good.groupby("method")[name].nunique()
    counts = [column for column in table.columns if column.startswith("n_")]
    table[counts] = table[counts].fillna(0).astype(int)
    bad = scores[scores["metric"] == "failed"]
    table["failed"] = (bad["fold"] + ": " + bad["reason"]).groupby(bad["method"]).agg("; ".join)
    table["failed"] = table["failed"].fillna("")
    table.attrs["by"] = ", ".join(sorted(scores["by"].unique()))
    return table.sort_values("pcc", ascending=False, kind="stable")
