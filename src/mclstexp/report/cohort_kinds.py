"""Kinds of tissue on the page of a cohort: how frequent each is, and how its coefficients agree over folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from mclstexp.report.cohort_study import CohortStudy

_MOST_PAIRS: Final = 12
MORE: Final = {"survival": "more risk", "binary": "more of a yes", "continuous": "a higher number"}
"""What a coefficient above 0 goes with, by kind of outcome."""
MOST_PATHWAYS: Final = 40
"""Pathways on a map; those of the largest coefficients."""
_LOOSE: Final = 1.0
"""A prototype this far off is no nearer to its kind than that kind to its nearest other."""


@dataclass(frozen=True)
class Agreement:
    """A number over folds."""

    mean: float
    low: float
    """The lowest of the folds,"""
    high: float
    """and the highest."""
    n_same: int
    """Folds in which it has the sign of the mean."""
    n: int
    """Folds."""

    @classmethod
    def of(cls, values: pd.Series) -> Agreement | None:
        """Return it; None where there is no number."""
        known = values.dropna()
        if known.empty:
            return None
        mean = float(known.mean())
        return cls(mean, float(known.min()), float(known.max()), int((known * mean > 0).sum()), len(known))


@dataclass(frozen=True)
class Kind:
    """A kind of tissue."""

    name: str
    frequency: float
    """Share of the training tiles, mean over folds."""
    coefficient: Agreement | None
    """What more of it adds, by standard deviation of its share; None where the model has no such number."""
    off: float
    """How far the worst match of another fold lies off; 1 is as far as to the nearest other kind."""

    @property
    def is_loose(self) -> bool:
        """Whether a fold has no such kind."""
        return self.off >= _LOOSE


@dataclass(frozen=True)
class PairOf:
    """A kind of tissue and a pathway."""

    kind: str
    pathway: str
    coefficient: Agreement


def kinds_of(study: CohortStudy, method: str) -> list[Kind]:
    """Return a model's kinds of tissue, the most frequent of its first fold first."""
    mine = study.of(study.prototypes, method)
    found = []
    for name, rows in mine.groupby("kind", sort=False):
        told = Agreement.of(rows["coefficient"]) if "coefficient" in rows else None
        found.append(Kind(str(name), float(rows["frequency"].mean()), told, float(rows["off"].max())))
    return found


def product_map(study: CohortStudy, method: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return mean coefficients over folds, kinds by pathways, and in which share of the folds each has that sign."""
    mine = study.of(study.products, method)
    kinds, pathways = (list(dict.fromkeys(mine[name])) for name in ("kind", "pathway"))
    pairs = mine.groupby(["kind", "pathway"])["coefficient"]
    mean = pairs.mean().unstack().reindex(index=kinds, columns=pathways)
    same = pairs.agg(lambda own: float((own * own.mean() > 0).mean())).unstack().reindex(index=kinds, columns=pathways)
    return mean, same


def strongest(mean: pd.DataFrame) -> pd.DataFrame:
    """Return of a map the pathways that have the largest coefficients, in their order, where there are many."""
    if mean.shape[1] <= MOST_PATHWAYS:
        return mean
    kept = mean.abs().max().nlargest(MOST_PATHWAYS).index
    return mean[[name for name in mean.columns if name in kept]]


def first_pairs(study: CohortStudy, method: str) -> list[PairOf]:
    """Return the pairs of the largest mean coefficients."""
    mine, found = study.of(study.products, method), []
    for names, rows in mine.groupby(["kind", "pathway"], sort=False):
        told = Agreement.of(rows["coefficient"])
        if told is not None and isinstance(names, tuple):
            found.append(PairOf(str(names[0]), str(names[1]), told))
    return sorted(found, key=lambda pair: -abs(pair.coefficient.mean))[:_MOST_PAIRS]


def on_kinds(study: CohortStudy, method: str, kinds: list[Kind]) -> list[str]:
    """Say what the kinds of tissue are, and how far they are the same in all folds."""
    n = study.of(study.prototypes, method)["fold"].nunique()
    said = [
        f"{method} divides tiles into {len(kinds)} kinds by k-means on their features, anew in each of {n} folds, and "
        "nobody named them: what one is, a pathologist sees on its tiles. Kinds of other folds are matched with those "
        "of the first, one to one.",
    ]
    if loose := [kind.name for kind in kinds if kind.is_loose]:
        said.append(
            f"In some fold nothing is like {', '.join(loose)}: what was matched with it is as far off as another kind."
        )
    return said


def on_products(
    method: str, mean: pd.DataFrame, same: pd.DataFrame, pairs: list[PairOf], *, more: str = MORE["survival"]
) -> list[str]:
    """Say what the map shows, and how far folds agree."""
    if not pairs:
        return []
    n, share = pairs[0].coefficient.n, float((same >= 1).mean().mean())
    by_chance = 2 ** (1 - n)
    best = pairs[0]
    return [
        f"What {method} adds where much of a kind of tissue and a high score of a pathway come together, beyond what "
        f"each adds alone; above 0 goes with {more}.",
        f"Largest: {best.kind} with {best.pathway}, {best.coefficient.mean:+.3f} on average, of one sign in "
        f"{best.coefficient.n_same} of {n} folds.".replace(" -", " \u2212"),
        f"{share:.0%} of {mean.size} pairs have one sign in all {n} folds; coins would in {by_chance:.0%}, and folds "
        "share most of their patients, so that even noise agrees more often than coins do.".replace("%", "\u00a0%"),
    ]
