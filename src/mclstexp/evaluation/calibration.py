"""How far off a predicted value is likely to be: conformal intervals from other individuals' errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.core.errors import InputError
from mclstexp.core.pearson import Values
from mclstexp.evaluation.conformal import Errors, Pool, level_needed, level_to_ask

LEVEL: Final = 0.8
"""Share of measured values that an interval is meant to hold."""
_JUDGED: Final = 20_000
"""So many times a unit is judged by others on a gene to learn which level to ask for; more teach nothing."""
_GENES: Final = (5, 200)
"""Fewest and most genes of each pair of units that it is learnt on."""
Bounds = tuple[Values, Values]
"""(n_spots, n_genes) low and high ends."""
Scope = Literal["a new individual", "this individual", "these sections"]
"""For whom intervals hold what they promise: widths are learnt on other individuals alone; on other sections of the
only individual; or on sections of which nobody knows the individuals."""


class Answered(Protocol):
    """A section with its truth and the answer of a model that did not see it (`mclstexp.analysis.pairs.Pair`)."""

    @property
    def id(self) -> str:
        """Name of the section."""

    @property
    def patient(self) -> str | None:
        """Whom it comes from; None where nobody said."""

    @property
    def genes(self) -> tuple[str, ...]:
        """Genes, in column order."""

    @property
    def truth(self) -> Values:
        """(n_spots, n_genes) measured expression."""

    @property
    def guess(self) -> Values:
        """(n_spots, n_genes) predicted expression, in the same space."""


@dataclass(frozen=True)
class Teachers:
    """Sections that a section's intervals are learnt on."""

    scope: Scope
    """For whom the intervals hold what they promise."""
    units: Mapping[str, tuple[int, ...]]
    """Which of the sections, by what is independent: individuals, or sections where there is but one or none known."""


def teachers(pairs: Sequence[Answered]) -> dict[str, Teachers]:
    """Say for each section which others teach its intervals, and what these are then worth.

    Sections of other individuals, never another one of its own: sections of one individual resemble each other, and
    intervals learnt on them hold less than they promise for the next. Where no other individual is known, all other
    sections teach.
    """
    found = {}
    for n, asked in enumerate(pairs):
        by_patient: dict[str, tuple[int, ...]] = {}
        for m, pair in enumerate(pairs):
            if None not in (asked.patient, pair.patient) and pair.patient != asked.patient:
                by_patient[str(pair.patient)] = (*by_patient.get(str(pair.patient), ()), m)
        known = all(pair.patient is not None for pair in pairs)
        scope: Scope = "a new individual" if by_patient else "this individual" if known else "these sections"
        found[asked.id] = Teachers(scope, by_patient or {pair.id: (m,) for m, pair in enumerate(pairs) if m != n})
    return found


def interval_widths(
    pairs: Sequence[Answered], *, level: float = LEVEL, varying: bool = False
) -> dict[str, Float[np.ndarray, "n_spots n_genes"]]:
    """Say how wide an interval about each predicted value must be to hold the measured one.

    Conformal prediction over individuals, gene by gene: the half width is a quantile of the absolute errors of the
    *other* individuals' spots, each individual weighing alike (hierarchical conformal prediction: Lee, Barber and
    Willett 2023, with the level that holds when each of the others is judged by the rest, `level_to_ask`, in place of
    their bound, which is infinite for fewer than five). One other individual shows how differently its genes are off,
    and not how individuals differ as a whole: the intervals may then hold less. Without any, other sections of the
    same individual teach, quarter by quarter of the predicted values, and the promise is for this individual only
    (`teachers` says which).

    Parameters
    ----------
    pairs
        Sections, measured and predicted by models that did not see them; their panels may differ.
    level
        Share of measured values that the intervals are meant to hold.
    varying
        Whether the widths are what is to be added to both ends of an interval that varies (see `interval_bounds`);
        they may then be negative.

    Returns
    -------
    By section (n_spots, n_genes) float32 half widths: the interval is predicted ± width. NaN for a gene that no
    section that teaches has.

    Raises
    ------
    InputError
        If the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        msg = f"a level between 0 and 1 expected, found {level}: 0.8 asks for intervals that hold 80 %"
        raise InputError(msg)
    study, widths = (
        _Study.of(pairs, varying=varying),
        {pair.id: np.full(pair.guess.shape, np.nan, np.float32) for pair in pairs},
    )
    alike: dict[tuple[bool, tuple[tuple[int, ...], ...]], list[int]] = {}
    for n, found in enumerate(teachers(pairs).values()):  # sections of an individual have the same teachers
        alike.setdefault((found.scope == "a new individual", tuple(found.units.values())), []).append(n)
    for (new, units), asked in alike.items():
        needed = _learn_level(study, units, level=level, new=new)
        for gene in dict.fromkeys(gene for n in asked for gene in pairs[n].genes):
            errors = study.errors(units, gene)
            if not errors:
                continue
            pool = Pool.of(errors, by_value=not new)
            for n, i in ((n, study.columns[n][gene]) for n in asked if gene in study.columns[n]):
                widths[pairs[n].id][:, i] = pool.widths(pairs[n].guess[:, i], level=needed)
    return widths


def interval_bounds(pairs: Sequence[Answered], *, level: float = LEVEL, varying: bool = True) -> dict[str, Bounds]:
    """Return intervals about each predicted value; wide where the retrieved spots lie apart, if that is known.

    Conformalised quantile regression (Romano, Patterson and Candès 2019): pairs may have `bounds`, quantiles that
    promise nothing; a spot's score is how far the measured value lies outside of them (below 0 inside), and a quantile
    of the scores of *other individuals*, found as in `interval_widths`, is added to both ends. Without bounds, the
    interval is predicted ± width.

    Parameters
    ----------
    pairs, level
        As in `interval_widths`.
    varying
        Whether bounds are looked at.

    Returns
    -------
    By section, (n_spots, n_genes) low and high; never crossed.
    """
    widths, found = interval_widths(pairs, level=level, varying=varying), {}
    for pair in pairs:
        low, high = _ends(pair, varying=varying)
        # ends that would cross meet in the middle
        width = np.maximum(widths[pair.id], (low - high) / 2)
        found[pair.id] = (low - width, high + width)
    return found


def new_widths(pairs: Sequence[Answered], *, level: float = LEVEL, varying: bool = True) -> tuple[pd.Series, Scope]:
    """Learn from all of the pairs the widths for tissue that is none of theirs, gene by gene.

    Parameters
    ----------
    pairs, level, varying
        As in `interval_bounds`; of individuals two at least, or sections of one.

    Returns
    -------
    By gene, and for whom they hold: another individual where several are known.
    """
    by_patient: dict[str, tuple[int, ...]] = {}
    for n, pair in enumerate(pairs):
        if pair.patient is not None:
            by_patient[pair.patient] = (*by_patient.get(pair.patient, ()), n)
    new = len(by_patient) > 1
    known = all(pair.patient is not None for pair in pairs)
    units = tuple(by_patient.values()) if new else tuple((n,) for n in range(len(pairs)))
    study = _Study.of(pairs, varying=varying)
    needed = _learn_level(study, units, level=level, new=new)
    genes = dict.fromkeys(gene for pair in pairs for gene in pair.genes)
    zero = np.zeros(1)
    widths = {gene: Pool.of(study.errors(units, gene)).widths(zero, level=needed)[0] for gene in genes}
    return pd.Series(widths, dtype=np.float64), (
        "a new individual" if new else "this individual" if known else "these sections"
    )


def interval_coverage(pairs: Sequence[Answered], *, level: float = LEVEL, varying: bool = False) -> pd.DataFrame:
    """Measure what share of the values the intervals hold, each section against those that teach it.

    Parameters
    ----------
    pairs, level, varying
        As in `interval_bounds`.

    Returns
    -------
    One row per gene (index "gene"): "coverage", its mean over sections (what is to be compared with `level`);
    "width", the mean half width; "coverage_SECTION" of each. NaN where there is no interval. ``attrs["scope"]`` says
    by section for whom the intervals hold (`Scope`).
    """
    bounds = interval_bounds(pairs, level=level, varying=varying)
    held, wide = {}, {}
    for pair in pairs:
        low, high = bounds[pair.id]
        width = (high - low) / 2
        inside = np.where(np.isnan(width), np.nan, (low <= pair.truth) & (pair.truth <= high))
        held[pair.id] = pd.Series(inside.mean(axis=0), index=list(pair.genes))
        wide[pair.id] = pd.Series(width.mean(axis=0, dtype=np.float64), index=list(pair.genes))
    genes = list(dict.fromkeys(gene for pair in pairs for gene in pair.genes))
    coverage = pd.DataFrame(held).reindex(genes)
    table = pd.DataFrame({"coverage": coverage.mean(axis=1), "width": pd.DataFrame(wide).reindex(genes).mean(axis=1)})
    table = table.join(coverage.add_prefix("coverage_")).rename_axis("gene")
    table.attrs["scope"] = {name: found.scope for name, found in teachers(pairs).items()}
    return table


@dataclass(frozen=True, eq=False)
class _Study:
    """Errors of all sections, each gene's found quickly: how far values lie outside of their bounds."""

    pairs: Sequence[Answered]
    columns: Sequence[Mapping[str, int]]
    off: Sequence[np.ndarray]

    @classmethod
    def of(cls, pairs: Sequence[Answered], *, varying: bool) -> _Study:
        columns = [{gene: i for i, gene in enumerate(pair.genes)} for pair in pairs]
        return cls(pairs, columns, [_outside(pair, varying=varying) for pair in pairs])

    def errors(self, units: Sequence[tuple[int, ...]], gene: str) -> list[Errors]:
        """Return a gene's errors by unit; a unit that lacks the gene has none."""
        found = []
        for unit in units:
            there = [(m, self.columns[m][gene]) for m in unit if gene in self.columns[m]]
            if there:
                guess, off = (
                    np.concatenate([of[m][:, j] for m, j in there])
                    for of in ({m: self.pairs[m].guess for m, _ in there}, self.off)
                )
                found.append(Errors(guess, off))
        return found


def _learn_level(study: _Study, units: Sequence[tuple[int, ...]], *, level: float, new: bool) -> float:
    """Judge each unit by the others on some of the genes that all have, spread over the panel."""
    if not units or (len(units) == 1 and not new):
        return level
    shared = set.intersection(*(set(study.columns[m]) for unit in units for m in unit))
    genes = [gene for gene in study.columns[units[0][0]] if gene in shared]
    n_genes = int(np.clip(_JUDGED // (len(units) * len(study.pairs)), *_GENES))
    genes = genes[:: -(-len(genes) // n_genes) or 1]
    if len(units) == 1:
        return _level_among_genes(study, units[0], genes, level=level)
    levels: list[list[np.ndarray]] = [[] for _ in units]
    for gene in genes:
        errors = study.errors(units, gene)
        for n, judged in enumerate(errors):
            levels[n].append(Pool.of([*errors[:n], *errors[n + 1 :]], by_value=not new).levels(judged))
    return level_to_ask([np.concatenate(of_unit) for of_unit in levels if of_unit], level=level)


def _level_among_genes(study: _Study, unit: tuple[int, ...], genes: Sequence[str], *, level: float) -> float:
    """Judge each gene of the only other individual by the next, in units of its spread.

    A gene is off in its own way in each individual; another gene's way stands for what a new individual's may be.
    """
    scaled = []
    for gene in genes:
        there = [(m, study.pairs[m], study.columns[m][gene]) for m in unit]
        error = np.concatenate([pair.truth[:, i] - pair.guess[:, i] for _, pair, i in there])
        off = np.concatenate([study.off[m][:, i] for m, _, i in there])
        if error.std() > 0:
            scaled.append(Errors(np.zeros_like(error), off / error.std()))
    if len(scaled) < 2:
        return level
    ahead = [*scaled[1:], scaled[0]]
    return level_needed([Pool.of([one]).levels(other) for one, other in zip(scaled, ahead, strict=True)], level=level)


def _ends(pair: Answered, *, varying: bool) -> Bounds:
    """Return the bounds that a pair brings, or what was predicted twice."""
    bounds: Bounds | None = getattr(pair, "bounds", None) if varying else None
    return (pair.guess, pair.guess) if bounds is None else bounds


def _outside(pair: Answered, *, varying: bool) -> Values:
    low, high = _ends(pair, varying=varying)
    return np.maximum(low - pair.truth, pair.truth - high)
