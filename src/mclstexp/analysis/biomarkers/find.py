"""`find_biomarkers`: which features tell a label, and how well, on individuals that were left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

from mclstexp.analysis.biomarkers.gmind import GMind
from mclstexp.analysis.biomarkers.modalities import Modalities
from mclstexp.analysis.biomarkers.rankers import L1_RATIO, NET, LateFusion, Linear, Ranker, auc, probability
from mclstexp.core.errors import InputError
from mclstexp.core.options import suggest
from mclstexp.core.progress import counted

RANKERS: Final[Mapping[str, Callable[[], Ranker]]] = {
    "ridge": Linear,
    "elastic_net": lambda: Linear(l1_ratio=L1_RATIO, penalties=NET),
    "late_fusion": LateFusion,
    "gmind": GMind,
}
"""What ranks features, by name."""
USUAL: Final = ("ridge", "elastic_net")
ONLY: Final = "ridge, {} alone"
_MOST_TURNS: Final = 10
"""Parts that individuals are left out in, at most."""
PERMUTED: Final = "ridge, labels permuted"
WITHIN: Final = "ridge, permuted within individuals"
"""Knows of each individual how many of its rows have the label, and not which."""
_FIXED: Final = (1e3,)  # penalty of both


@dataclass(frozen=True, eq=False)
class Biomarkers:
    """Which features tell a label."""

    features: pd.DataFrame
    """A row for each feature, what ridge weighs most first: "modality", "feature", of each method its score (a
    coefficient by standard deviation; of "gmind" the probability that it is kept), and "agreeing": the share of fits
    without some individuals whose ridge coefficient has the same sign."""
    scores: pd.DataFrame
    """A row for each method and individual left out: "method", "group", "n", "auc", "balanced_accuracy", "brier"."""
    label: str
    """What is told from the rest."""

    def summary(self) -> pd.DataFrame:
        """Return of each method the mean AUC over individuals, in how many it is above ½, and Wilcoxon's p of that."""
        rows = {}
        for name, some in self.scores.dropna(subset="auc").groupby("method", sort=False):
            above = some["auc"] - 0.5
            p = stats.wilcoxon(above, alternative="greater").pvalue if len(above) > 4 and above.any() else np.nan
            means = some[["auc", "balanced_accuracy", "brier"]].mean().to_dict()
            rows[name] = {**means, "above": int((above > 0).sum()), "of": len(above), "p": p}
        return pd.DataFrame(rows).T


def find_biomarkers(
    tables: Mapping[str, pd.DataFrame],
    labels: pd.Series,
    groups: Sequence[str],
    *,
    label: str | None = None,
    methods: Sequence[str] = USUAL,
    permutations: int = 5,
    seed: int = 0,
) -> Biomarkers:
    """Say which features tell a label from the rest, and how well on individuals that had no part in it.

    Parameters
    ----------
    tables
        Features by kind, as {"image": …, "expression": …}, over the same rows; a row that lacks a kind is NaN there.
    labels
        Of each row; missing where it is not known.
    groups
        Whose each row is: all rows of an individual are left out together. Ten parts at most.
    label
        Which label is told from all others; needed where there are more than two.
    methods
        Of `RANKERS`; with several kinds of features each is also judged alone, by ridge. "gmind" takes minutes.
    permutations
        Runs in which ridge learns labels that were permuted over all rows, whose mean AUC must be ½ or something leaks;
        and within each individual, which says how much is told by differences between individuals alone.
    seed
        Of parts and permutations.

    Returns
    -------
    `Biomarkers`. Features are ranked by ridge, which ranks true ones better than masks or elastic nets do
    (docs/biomarkers.md).

    Raises
    ------
    InputError
        If tables are no tables of the same rows, there are not two labels with rows in two individuals, or a method is
        unknown.
    """
    if permutations < 0:
        msg = f"permutations of 0 or more expected, found {permutations}: 0 is none"
        raise InputError(msg)
    modalities = Modalities.of_tables(tables)
    names = [_known(name) for name in methods]
    told, which = _binary(labels, label, n=len(modalities))
    of = np.asarray(groups, str)
    parts = _parts(of, told, seed=seed)
    makers = {name: RANKERS[name] for name in names}
    if "ridge" not in makers:
        makers = {"ridge": RANKERS["ridge"], **makers}
    found: list[dict] = []
    signs: list[np.ndarray] = []
    with counted("biomarkers", len(parts) + 1, unit="fit") as on_done:
        for number, out in enumerate(parts, 1):
            kept, test = modalities.take(~out), modalities.take(out)
            for name, kinds, make in _ways(makers, modalities):
                some = np.asarray(kept.present[:, kinds].any(axis=1))
                ranker = make().fit(kept.only(kinds).take(some), told[~out][some], of[~out][some].tolist())
                found += _judged(name, ranker, test.only(kinds), told[out], of[out])
                if name == "ridge":
                    signs.append(np.sign(np.concatenate(ranker.scores())))
            found += permuted_scores(modalities, told, of, out, n=permutations, seed=seed)
            on_done(number, "")
        whole = {name: make().fit(modalities, told, of.tolist()).scores() for name, make in makers.items()}
        on_done(len(parts) + 1, "")
    scores = pd.DataFrame(found)
    if scores["auc"].isna().all():
        text = f"no individual that was left out has rows with {which} and without: how well features tell it from the"
        warnings.warn(f"{text} rest is not known, and they may tell the individuals instead", stacklevel=2)
    return Biomarkers(_ranked(modalities, whole, signs), scores, which)


def make_ranker(name: str) -> Ranker:
    """Make a method of `RANKERS`.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    return RANKERS[_known(name)]()


def _known(name: str) -> str:
    if name not in RANKERS:
        msg = f"a known way to rank features expected, found {name!r}: {suggest(name, RANKERS)}"
        raise InputError(msg)
    return name


def _ways(
    makers: Mapping[str, Callable[[], Ranker]], modalities: Modalities
) -> list[tuple[str, np.ndarray, Callable[[], Ranker]]]:
    """Return what is judged: each method on all kinds, and ridge on each kind alone where there are several."""
    every = np.ones(len(modalities.names), bool)
    ways = [(name, every, make) for name, make in makers.items()]
    if len(every) > 1:
        kinds = np.eye(len(every), dtype=bool)
        ways += [(ONLY.format(kind), one, Linear) for kind, one in zip(modalities.names, kinds, strict=True)]
    return ways


def _binary(labels: pd.Series, label: str | None, *, n: int) -> tuple[Float[np.ndarray, " n"], str]:
    text = pd.Series(labels).reset_index(drop=True)
    text = text.where(text.isna(), text.astype(str))
    kinds = sorted(text.dropna().unique())
    if len(text) != n or len(kinds) < 2 or (label is None and len(kinds) > 2) or (label or kinds[-1]) not in kinds:
        found = f"{len(text)} labels for {n} rows" if len(text) != n else ", ".join(kinds[:5]) or "no label"
        found += "" if label in {None, *kinds} else f" and {label!r} asked for"
        msg = f"a label for each row, two kinds or one to be told from the rest, expected, found {found}: name a label"
        raise InputError(msg)
    which = label or kinds[-1]
    alike = [name for name in kinds if name != which and _bare(name) == _bare(which)]
    if alike:
        text_ = f"labels {which!r} and {alike[0]!r} differ in capitals or blanks alone, and are told apart: name alike"
        warnings.warn(f"{text_} what is the same", stacklevel=3)
    return np.where(text.isna(), np.nan, (text == which).astype(float)), which


def _bare(name: str) -> str:
    return "".join(name.split()).casefold()


def _parts(of: np.ndarray, told: Float[np.ndarray, " n"], *, seed: int) -> list[np.ndarray]:
    """Mark the rows that are left out in turn: those of each individual, or of groups of them."""
    names = np.unique(of[np.isfinite(told)])
    if len(of) != len(told) or len(names) < 2:
        msg = f"labelled rows of two individuals or more expected, found {len(names)}: say whose each row is"
        raise InputError(msg)
    names = np.random.default_rng(seed).permutation(names)
    some = np.array_split(names, min(len(names), _MOST_TURNS))
    outs = [np.isin(of, part) for part in some]
    fits = [out for out in outs if len(np.unique(told[~out & np.isfinite(told)])) == 2]
    if not fits:
        msg = "both labels without each individual expected, found one alone: label more individuals"
        raise InputError(msg)
    return fits


def _judged(
    name: str, ranker: Ranker, test: Modalities, told: Float[np.ndarray, " n"], of: np.ndarray
) -> list[dict[str, object]]:
    """Score rows left out, each individual by itself, or all together where each has one row."""
    groups = of if len(np.unique(of)) < len(of) else np.full(len(of), "all")
    rows = []
    for group in np.unique(groups):
        at = (groups == group) & np.isfinite(told) & test.present.any(axis=1)
        if not at.any():
            continue
        p = probability(ranker.logits(test.take(at)))
        y = told[at]
        halves = [(p[y == k] > 0.5) == k for k in (0, 1)]
        accuracy = np.mean([half.mean() for half in halves]) if all(len(half) for half in halves) else np.nan
        said = {"auc": auc(p, y), "balanced_accuracy": accuracy, "brier": float(((p - y) ** 2).mean())}
        rows.append({"method": name, "group": str(group), "n": len(y), **said})
    return rows


def permuted_scores(
    modalities: Modalities, told: Float[np.ndarray, " n"], of: np.ndarray, out: np.ndarray, *, n: int, seed: int
) -> list[dict[str, object]]:
    """Judge ridge on rows left out when the labels it learnt were permuted: over all rows, and within individuals.

    Parameters
    ----------
    modalities, told, of
        Features, labels (0, 1 or NaN) and individual of every row.
    out
        (n,) which rows are left out.
    n, seed
        Of the permutations.

    Returns
    -------
    Rows as of `Biomarkers.scores`; none within individuals where each has one row.
    """
    kept, test = modalities.take(~out), modalities.take(out)
    groups = {PERMUTED: np.full(int((~out).sum()), "")}
    if len(np.unique(of)) < len(of):
        groups[WITHIN] = of[~out]
    known = np.isfinite(told[~out])
    rows: list[dict[str, object]] = []
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        for name, units in groups.items():
            mixed = told[~out].copy()
            for unit in np.unique(units):
                at = np.flatnonzero((units == unit) & known)
                mixed[at] = mixed[rng.permutation(at)]
            ranker = Linear(penalties=_FIXED).fit(kept, mixed, of[~out].tolist())
            rows += _judged(name, ranker, test, told[out], of[out])
    return rows


def _ranked(modalities: Modalities, whole: Mapping[str, list[np.ndarray]], signs: list[np.ndarray]) -> pd.DataFrame:
    kinds = [name for name, some in zip(modalities.names, modalities.features, strict=True) for _ in some]
    table = pd.DataFrame({"modality": kinds, "feature": [one for some in modalities.features for one in some]})
    for name, scores in whole.items():
        table[name] = np.concatenate(scores)
    table["agreeing"] = (np.array(signs) == np.sign(table["ridge"].to_numpy())).mean(axis=0)
    return table.iloc[np.argsort(-table["ridge"].abs(), kind="stable")].reset_index(drop=True)
