"""An exam: one fold made ready for all methods alike, and the marking of what each answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.measured import MIN_COUNTS, has_counts, learnable
from mclstexp.core.panel import common_genes
from mclstexp.core.predictor import Predictor
from mclstexp.core.section import Section
from mclstexp.data.folds import Fold
from mclstexp.data.genes import select_heg
from mclstexp.evaluation.answers import Answers
from mclstexp.evaluation.ceiling import log_depth
from mclstexp.evaluation.controls import is_control
from mclstexp.evaluation.metrics import GENE_METRICS
from mclstexp.evaluation.score_ceilings import reliabilities
from mclstexp.evaluation.score_table import COLUMNS
from mclstexp.evaluation.scored import Scored, scored, usual_genes
from mclstexp.evaluation.structure import SECTION_METRICS

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

SpaceRule = Callable[[Sequence[Section]], ExpressionSpace]
"""Learns scale and panel from sections: ``ExpressionSpace.fit``, or a partial of it."""

GeneSetRule = Callable[..., Sequence[str]]
"""Chooses a subset of the panel to report on: called as ``rule(sections, space=space)``."""

HEG50: Final[Mapping[str, GeneSetRule]] = {"heg50": select_heg}
"""The gene set of the published tables, chosen before the test."""

MIN_SPOTS: Final = 10
"""Spots below which a section is not scored. Over fewer, the standard error of one correlation (Fisher's 1 / √(n - 3))
is above 0.38, more than most methods score, and the section would weigh in a mean as much as one of thousands."""
ORACLE: Final = "depth oracle"
CEILING: Final = "noise ceiling"
_OF_RANKS: Final = ("pcc", "pcc_depth", "pcc_residual", "spearman", "nmi", "auc")
"""Metrics that mean something for the depth oracle, which is on no scale of expression."""


@dataclass(frozen=True)
class Rules:
    """How folds are prepared and answers marked; the two protocols are described in docs/protocol.md."""

    protocol: Literal["strict", "paper"] = "strict"
    """"strict": all is learnt from training sections; "paper": the published evaluation, to meet old numbers."""
    space: SpaceRule = ExpressionSpace.fit
    """How scale and panel are learnt in each fold."""
    gene_sets: Mapping[str, GeneSetRule] = field(default_factory=lambda: dict(HEG50))
    """Subsets of the panel that are reported apart."""
    min_counts: int = MIN_COUNTS
    """Spots with fewer counts are neither learnt nor scored; 0 takes every spot as measured."""
    min_spots: int = MIN_SPOTS
    """Sections with fewer spots that hold counts are learnt from and not scored."""
    data_set: str = ""
    """Name of the data; rows of a method whose defaults were chosen on it say so."""
    transductive: bool = False
    """Whether steps that look at the test sections (other than their tiles one by one) are let in; rows say so."""

    def __post_init__(self) -> None:
        taken = [name for name in self.gene_sets if f"pcc_{name}" in GENE_METRICS]
        if taken:
            msg = f"a name of a gene set that no metric ends with expected, found {taken[0]!r}: call it otherwise"
            raise InputError(msg)


@dataclass(frozen=True)
class Exam:
    """One fold, ready for any method: what is learnt before the test is learnt here."""

    fold: Fold
    """Train and test sections, with the genes that the training sections share."""
    space: ExpressionSpace
    """Scale and panel of truth and prediction."""
    residual_space: ExpressionSpace
    """The same panel on residuals of counts, learnt from the training sections."""
    train_mean: np.ndarray
    """(n_genes,) mean expression over the training spots."""
    gene_sets: dict[str, np.ndarray]
    """(n_genes,) masks by name."""
    rules: Rules
    """How it was prepared."""
    scored: Mapping[str, Scored] = field(default_factory=dict)
    """What of each test section is scored, by its name."""

    @property
    def judged(self) -> list[Section]:
        """The test sections that have a spot to be scored."""
        return [section for section in self.fold.test if self.scored[section.id].spots.any()]

    @property
    def notes(self) -> list[str]:
        """What is worth saying of the test sections, each by its name."""
        return [f"{name}: {note}" for name, scored in self.scored.items() for note in scored.notes]


def scorable(folds: Sequence[Fold], rules: Rules) -> list[Fold]:
    """Leave out of the test what is too small to score; a fold without a test is left out.

    Raises
    ------
    InputError
        If no test is left, or the sections of a fold share no gene.
    """
    found = []
    for fold in folds:
        common_genes((*fold.train, *fold.test))
        test = tuple(s for s in fold.test if not too_small(s, rules))
        if test:
            found.append(fold if len(test) == len(fold.test) else replace(fold, test=test))
    if folds and not found:
        most = max(_n_counted(section, rules) for fold in folds for section in fold.test)
        msg = (
            f"a section of at least {rules.min_spots} spots with counts to score expected, found {most} at most: "
            f"give larger sections, or lower {word('min_spots')}"
        )
        raise InputError(msg)
    return found


def too_small(section: Section, rules: Rules) -> list[str]:
    """Say in a sentence why a section is not scored; nothing where it is."""
    n_spots = _n_counted(section, rules)
    if n_spots >= rules.min_spots:
        return []
    return [f"{n_spots} spots with counts are too few to be scored ({word('min_spots', rules.min_spots)})"]


def _n_counted(section: Section, rules: Rules) -> int:
    return int(has_counts(section, min_counts=rules.min_counts).sum())


def prepare(fold: Fold, rules: Rules) -> Exam:
    """Learn panel, scale and gene sets of a fold: from its training sections, or as published under "paper".

    Spots without counts (`Rules.min_counts`) are neither learnt from nor scored.

    Raises
    ------
    InputError
        If the sections share no gene, the space cannot be learnt, or a step needs test sections and none may be used.
    """
    common_genes((*fold.train, *fold.test))
    train, test = learnable(fold.train, min_counts=rules.min_counts), fold.test
    if rules.protocol == "paper":
        genes = common_genes((*train, *test))
        space = _paper_space(replace(fold, train=_restrict(train, genes)), rules, genes)
    else:
        genes = common_genes(train)
        space = rules.space(_restrict(train, genes))
        if space.axis == "gene" and not rules.transductive:
            msg = (
                'axis = "spot" expected under the strict protocol, found "gene", which scales the truth by the test '
                'section\'s own totals: say transductive = true, or protocol = "paper", if that is meant'
            )
            raise InputError(msg)
    train = learnable(_restrict(train, genes), min_counts=rules.min_counts, space=space)
    usual = usual_genes(train, space)
    marked = {s.id: scored(s, genes, space=space, min_counts=rules.min_counts, usual=usual) for s in test}
    n_spots = sum(len(section) for section in train)
    total = sum(space(section.counts).sum(axis=0, dtype=np.float64) for section in train)
    published = rules.protocol == "paper"
    chosen_on = [found.section.take(found.spots) for found in marked.values()] if published else train
    return Exam(
        fold=replace(fold, train=tuple(train), test=tuple(found.section for found in marked.values())),
        space=space,
        residual_space=space if space.scale == "residual" else replace(space, axis="spot").on_residuals(train),
        train_mean=np.asarray(total / n_spots, np.float32),
        gene_sets={name: np.isin(space.genes, rule(chosen_on, space=space)) for name, rule in rules.gene_sets.items()},
        rules=rules,
        scored=marked,
    )


def _paper_space(fold: Fold, rules: Rules, genes: list[str]) -> ExpressionSpace:
    """Learn the panel on all sections and scale each gene over its section, as the released evaluation does."""
    if fold.by != "section":
        msg = (
            'folds by = "section" expected under the paper protocol, which leaves out one section at a time, '
            f'found by = "{fold.by}": leave it out, or use protocol = "strict"'
        )
        raise InputError(msg)
    space = rules.space((*fold.train, *_restrict(fold.test, genes)))
    space.require_log("the paper protocol")
    return replace(space, axis="gene")


def _restrict(sections: Sequence[Section], genes: list[str]) -> tuple[Section, ...]:
    return tuple(s if list(s.genes) == genes else replace(s, counts=s.counts[:, genes]) for s in sections)


def mark(exam: Exam, section: Section, predicted: np.ndarray, *, label: str, method: Predictor) -> pd.DataFrame:
    """Score one section's prediction by every metric: a tidy table in `COLUMNS` and a column per gene set."""
    answers = _answers(exam, section, predicted)
    values = {name: metric(answers) for name, metric in GENE_METRICS.items()}
    if exam.rules.protocol == "paper":
        # scipy's correlation of a constant prediction is NaN, and the published mean drops it
        values["pcc"] = np.where(np.ptp(answers.predicted, axis=0) > 0, values["pcc"], np.nan)
    whole = {name: metric(answers) for name, metric in SECTION_METRICS.items()}
    where = _where(exam, label, method=method, section=section)
    return pd.concat([_per_gene(exam, values, where), _of_whole(exam, whole, where)], ignore_index=True)


def _answers(exam: Exam, section: Section, predicted: np.ndarray) -> Answers:
    """Put truth beside prediction where there is a truth; the prediction has all of the section's tiles."""
    spots, predicted = exam.scored[section.id].spots, np.asarray(predicted)
    if not spots.all() and len(predicted) == len(section):
        section, predicted = section.take(spots), predicted[spots]
    return Answers.collect(
        section, predicted, space=exam.space, residual_space=exam.residual_space, train_mean=exam.train_mean
    )


def references(exam: Exam) -> pd.DataFrame:
    """Return the rows no method can earn: each test section's noise ceiling and what its depth alone would score."""
    tables = []
    for section in exam.judged:
        depth = np.broadcast_to(log_depth(section.counts)[:, None], (len(section), len(exam.space.genes)))
        answers = _answers(exam, section, np.array(depth, np.float32))
        oracle = {name: GENE_METRICS[name](answers) for name in _OF_RANKS}
        spots = exam.scored[section.id].spots
        ceiling = reliabilities(section.counts[spots], log=exam.space.on_log(), residual=exam.residual_space)
        for label, values in ((ORACLE, oracle), (CEILING, ceiling)):
            tables.append(_per_gene(exam, values, _where(exam, label, section=section)))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=[*COLUMNS, *exam.gene_sets])


def failure(exam: Exam, *, label: str, method: Predictor, reason: str) -> pd.DataFrame:
    """Return the one row that a method leaves that failed in a fold."""
    where = _where(exam, label, method=method)
    return _of_whole(exam, {"failed": np.nan}, {**where, "reason": reason})


def cost(exam: Exam, *, label: str, method: Predictor, seconds: float) -> pd.DataFrame:
    """Return the row of wall time (s) of fit and prediction, and where the system tells, of the process's memory.

    "peak_mib" is the most that this process ever held (MiB): a method's own where it runs in its own process.
    """
    return _of_whole(exam, spent(seconds), _where(exam, label, method=method))


def spent(seconds: float) -> dict[str, float]:
    """Return wall time beside the most memory (MiB) that this process ever held, where the system tells."""
    values = {"seconds": seconds}
    if resource is not None:
        unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
        values["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return values


def _where(
    exam: Exam, label: str, *, method: Predictor | None = None, section: Section | None = None
) -> dict[str, Any]:
    """Return the columns that all rows of a table share; without a method it is a reference."""
    looks = exam.rules.protocol == "paper" or exam.space.axis == "gene" or (method is not None and method.transductive)
    kind = "reference" if method is None else "control" if is_control(label, method) else "method"
    return {
        "method": label,
        "kind": kind,
        "fold": exam.fold.name,
        "by": exam.fold.by,
        "protocol": exam.rules.protocol,
        "space": str(exam.space),
        "transductive": looks,
        "tuned": method is not None and exam.rules.data_set.strip().casefold() in method.tuned_on,
        "sees": "" if method is None else method.sees,
        "patient": "" if section is None else section.patient or "",
        "section": "" if section is None else section.id,
        "reason": "",
    }


def _per_gene(exam: Exam, values: Mapping[str, np.ndarray], where: Mapping[str, Any]) -> pd.DataFrame:
    known = exam.scored[where["section"]].genes
    genes = pd.DataFrame({"gene": exam.space.genes, **exam.gene_sets})[known]
    values = {name: value[known] for name, value in values.items()}
    table = pd.concat([genes.assign(metric=name, value=value) for name, value in values.items()], ignore_index=True)
    return table.assign(**where)[[*COLUMNS, *exam.gene_sets]]


def _of_whole(exam: Exam, values: Mapping[str, float], where: Mapping[str, Any]) -> pd.DataFrame:
    table = pd.DataFrame({"metric": list(values), "value": np.array(list(values.values()), np.float64)})
    table = table.assign(**where, gene="", **dict.fromkeys(exam.gene_sets, False))
    return table[[*COLUMNS, *exam.gene_sets]]
