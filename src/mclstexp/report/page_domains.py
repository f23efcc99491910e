"""Domains for the page: found in what was measured and in what was predicted, and named alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mclstexp.analysis.domains import Way, find_domains, labels_of
from mclstexp.analysis.pairs import Pair
from mclstexp.core.errors import InputError
from mclstexp.plotting.domains import agreement, domain_colours, match_domains

WAYS: Final[tuple[Way, ...]] = ("leiden", "paper")
"""Ways to find domains, the first that works is taken."""
LIKE: Final = "≈ "
"""Stands before a label in the name of a domain that overlaps with it most."""


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
    """How they were found: "leiden" or "paper"."""
    reason: str
    """Why there are none; "" if there are."""


def domains_of_all(pairs: Sequence[Pair]) -> DomainsOfAll:
    """Find domains by Leiden where the extra for it is installed, otherwise as published where there are labels."""
    found: dict[str, Domains] = {}
    reasons = []
    for way in WAYS:
        try:
            found = {pair.id: _of(pair, way) for pair in pairs}
        except InputError as error:
            reasons.append(str(error))
        else:
            return DomainsOfAll(found, way, "")
    return DomainsOfAll({}, "", reasons[0])


def colours_of(domains: DomainsOfAll) -> dict[str, str]:
    """Return the colour of every name; a domain like a label has the label's colour."""
    names: list[str] = []
    for found in domains.by_section.values():
        for series in (found.labels, found.truth, found.predicted):
            names += [] if series is None else [str(name) for name in series.dropna().unique()]
    palette = domain_colours(sorted({name.removeprefix(LIKE) for name in names}))
    return {name: palette[name.removeprefix(LIKE)] for name in dict.fromkeys(sorted(names))}


def agreements(domains: DomainsOfAll) -> dict[str, str]:
    """Say of each section how the predicted domains agree with the labels or, without any, the measured domains."""
    found = domains.by_section.items()
    return {name: agreement(one.truth if one.labels is None else one.labels, one.predicted) for name, one in found}


def _of(pair: Pair, way: Way) -> Domains:
    truth = pd.Series(find_domains(pair, which="truth", way=way))
    varied = bool(np.ptp(pair.guess, axis=0).max(initial=0) > 0)  # one value everywhere has no domains
    predicted = pd.Series(find_domains(pair, which="predicted", way=way) if varied else [None] * len(pair.section))
    labels = labels_of(pair)
    if labels is not None:
        labels = labels.astype(object).reset_index(drop=True).map(str, na_action="ignore")
        truth = _renamed(truth, {domain: LIKE + label for domain, label in match_domains(truth, labels).items()})
    return Domains(truth, _renamed(predicted, match_domains(predicted, truth)), labels)


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
