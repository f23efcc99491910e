"""Domains for the page: found in what was measured and in what was predicted, and named alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mclstexp.analysis.domains import PAPER, find_domains, labels_of
from mclstexp.analysis.pairs import Pair
from mclstexp.core.errors import InputError
from mclstexp.plotting.domains import agreement, domain_colours, match_domains

WAYS: Final = ("leiden", PAPER)
"""Ways to find domains where none is named; the first that works is taken."""
LIKE: Final = "≈ "
"""Stands before a label in the name of a domain that overlaps with it most."""
_BY: Final = " · "  # between a domain's number and the genes that mark it
_MARKS: Final = 2  # genes in a name


@dataclass(frozen=True, eq=False)
class Domains:
    """Domains of one section; each (n_spots,) text, missing where a spot belongs to none."""

    truth: pd.Series
    """Of the measured expression."""
    predicted: pd.Series
    """Of the prediction, named as the measured domain that it shares most spots with, one to one."""
    labels: pd.Series | None
    """What a person called each spot, if anybody did."""


@dataclass(frozen=True)
class DomainsOfAll:
    """Domains of all sections, or why there are none."""

    by_section: dict[str, Domains]
    """By name of the section; empty if `reason` says why."""
    way: str
    """How they were found, as `find_domains` names ways."""
    reason: str
    """Why there are none; "" if there are."""


def domains_of_all(pairs: Sequence[Pair], way: str | None = None) -> DomainsOfAll:
    """Find domains in one way or, where none is named, by Leiden if its extra is there, or as published by labels.

    Parameters
    ----------
    pairs
        Sections, measured and predicted.
    way
        As `find_domains` names it. A way that settles on no number itself is told that of the labels, if there are any.

    Raises
    ------
    InputError
        If a way is named and cannot be gone.
    """
    if way is not None:
        return DomainsOfAll({pair.id: _of(pair, way) for pair in pairs}, way, "")
    found: dict[str, Domains] = {}
    reasons = []
    for each in WAYS:
        try:
            found = {pair.id: _of(pair, each) for pair in pairs}
        except InputError as error:
            reasons.append(str(error))
        else:
            return DomainsOfAll(found, each, "")
    return DomainsOfAll({}, "", reasons[0])


def colours_of(domains: DomainsOfAll) -> dict[str, str]:
    """Return the colour of every name; a domain like a label has the label's colour."""
    names: list[str] = []
    for found in domains.by_section.values():
        for series in (found.labels, found.truth, found.predicted):
            names += [] if series is None else [str(name) for name in series.dropna().unique()]
    palette = domain_colours(sorted({_short(name) for name in names}))
    return {name: palette[_short(name)] for name in dict.fromkeys(sorted(names))}


def agreements(domains: DomainsOfAll) -> dict[str, str]:
    """Say of each section how the predicted domains agree with the labels or, without any, the measured domains."""
    found = domains.by_section.items()
    return {name: agreement(one.truth if one.labels is None else one.labels, one.predicted) for name, one in found}


def marking_genes(values: ArrayLike, inside: ArrayLike, *, genes: Sequence[str], most: int) -> list[str]:
    """Return the genes that are highest inside against outside.

    Parameters
    ----------
    values
        (n_spots, n_genes) expression.
    inside
        (n_spots,) whether a spot is.
    genes
        Names of the columns.
    most
        How many at most.
    """
    values, here = np.asarray(values), np.asarray(inside, bool)
    if here.all() or not here.any():
        return []
    above = values[here].mean(axis=0) - values[~here].mean(axis=0)
    return [genes[place] for place in np.argsort(-above, kind="stable")[:most] if above[place] > 0]


def _short(name: str) -> str:
    return name.removeprefix(LIKE).partition(_BY)[0]


def _of(pair: Pair, way: str) -> Domains:
    labels = labels_of(pair)
    told = {} if way in WAYS or labels is None else {"n_domains": max(2, labels.nunique())}
    truth = pd.Series(find_domains(pair, which="truth", way=way, **told))
    varied = bool(np.ptp(pair.guess, axis=0).max(initial=0) > 0)  # one value everywhere has no domains
    predicted = pd.Series(
        find_domains(pair, which="predicted", way=way, **told) if varied else [None] * len(pair.section)
    )
    if labels is not None:
        labels = labels.astype(object).reset_index(drop=True).map(str, na_action="ignore")
        truth = _renamed(truth, {domain: LIKE + label for domain, label in match_domains(truth, labels).items()})
    predicted = _renamed(predicted, match_domains(predicted, truth))
    if labels is None:
        names = {**_marked(pair, pair.guess, predicted), **_marked(pair, pair.truth, truth)}
        truth, predicted = truth.map(names), predicted.map(names)
    return Domains(truth, predicted, labels)


def _marked(pair: Pair, values: ArrayLike, domains: pd.Series) -> dict[str, str]:
    """Give each domain's number the genes that mark it: a number alone says nothing."""
    found = {
        name: marking_genes(values, domains == name, genes=pair.genes, most=_MARKS)
        for name in domains.dropna().unique()
    }
    return {name: f"{name}{_BY}{', '.join(marks)}" if marks else name for name, marks in found.items()}


def _renamed(domains: ArrayLike, partner: dict[str, str]) -> pd.Series:
    """Give domains their partners' names, and those without one numbers that are not taken."""
    series = pd.Series(domains).astype(object)
    taken, number = set(partner.values()), 0
    names = dict(partner)
    for name in sorted(series.dropna().unique(), key=lambda name: (len(name), name)):
        while name not in names:
            number += 1
            if str(number) not in taken:
                names[name] = str(number)
                taken.add(str(number))
    return series.map(names)
