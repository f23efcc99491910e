"""`associate`: every trait against every marker, with the null that the rows ask for."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import false_discovery_control

from mclstexp.analysis.association.columns import as_columns
from mclstexp.analysis.association.fields import Field
from mclstexp.analysis.association.inflation import inflation
from mclstexp.analysis.association.linear import linear_scan
from mclstexp.analysis.association.permuted import FEWEST, permuted_p, smallest_p
from mclstexp.analysis.association.spots import spot_scan
from mclstexp.core.errors import InputError
from mclstexp.core.section import UNKNOWN

TRAINED_ON = "trained_on"
"""In a table's ``attrs``: names of the individuals from whom its traits were learnt, with their markers."""
LEAST_DRAWS = 19


@dataclass(frozen=True, eq=False)
class Individuals:
    """Each row is a person or an animal, independent of the others; the index holds their names."""

    strata: Sequence[Hashable] | None = None
    """(n,) who may stand for whom where rows are permuted, as sites or ancestries; by default all for all."""
    trained_on: Sequence[str] = ()
    """From whom the traits were learnt, *with these markers in sight*: they are refused, for what was trained to go
    together goes together. Traits that were learnt from images alone need not be named."""


@dataclass(frozen=True, eq=False)
class Spots:
    """Each row is a spot of a section; neighbouring ones are alike."""

    xy_um: Float[np.ndarray, "n 2"]
    """Where they lie on their section."""
    sections: Sequence[str]
    """(n,) of which section each is."""
    patients: Sequence[str | None]
    """(n,) whom it comes from; None for unknown ones, who count as one."""
    null: Literal["moran", "shifts"] = "moran"
    """How maps without an association are drawn: by the signs of their spatial patterns, or by shifts of the array that
    wrap round. Both keep how smooth a map is."""
    array_xy: Float[np.ndarray, "n 2"] | None = None
    """Column and row of the array, for shifts."""
    trained_on: Sequence[str] = ()
    """Patients from whom the traits were learnt with these markers in sight, as a model of expression: refused."""


Units = Individuals | Spots


@dataclass(frozen=True, eq=False)
class Associations:
    """What a scan found."""

    table: pd.DataFrame
    """A row for each pair, the smallest p first; see `associate`."""
    inflation: pd.DataFrame
    """"lambda" and its "error" of "p" and of "p_naive"."""
    units: str
    """"individuals" or "spots"."""
    who: tuple[str, ...]
    """Names of the individuals."""
    smallest_p: float
    """What so many draws or individuals can reach by permutation."""
    trained_on: tuple[str, ...] = ()
    """From whom the traits were learnt."""
    notes: tuple[str, ...] = field(default=())
    """What to know before it is read."""

    def found(self, *, level: float = 0.05, by: Literal["q", "p_family"] = "q") -> pd.DataFrame:
        """Return the pairs below a level: of the false discovery rate, or of the chance of any false one at all."""
        return self.table[self.table[by] < level]


def associate(
    traits: pd.DataFrame,
    markers: pd.DataFrame,
    units: Units = Individuals(),
    *,
    covariates: pd.DataFrame | None = None,
    n_permutations: int = 999,
    seed: int = 0,
) -> Associations:
    """Scan traits against markers: image features or predicted expression against labels, genes or genotypes.

    Spots of a section are no independent observations, and individuals from whom a trait was learnt no test of it; both
    make nearly everything "significant". Here p is by draws that know this: of individuals in another order, or of maps
    as smooth as these.

    Parameters
    ----------
    traits, markers
        A row for each individual or spot, in one order, with one index. Text and categories become a column of 0 and 1
        for each value. A marker that is missing takes its mean; a trait must be there.
    units
        What rows are.
    covariates
        What is taken out of both sides, as age and site, or depth and stain (within each section).
    n_permutations
        Draws: orders of individuals, or maps.
    seed
        Of the draws.

    Returns
    -------
    `Associations`, whose table has "trait", "marker", "n" (rows), "r" (partial correlation; over spots its mean over
    sections then individuals), "p_naive" (Student's; over spots as if they were independent, which is wrong), "p" (by
    draws), "q" (false discovery rate of p: Benjamini and Hochberg) and "p_family" (of any false pair at all: by the
    largest of each draw over individuals, Holm's over spots). Over spots also "n_individuals", and "agreeing", the
    share of these in whom the sign is the mean's.

    Raises
    ------
    InputError
        If tables differ in their rows, a trait is missing or nothing varies, individuals are among those from whom
        traits were learnt, or there are fewer than 19 permutations.
    """
    if n_permutations < LEAST_DRAWS:
        msg = f"at least {LEAST_DRAWS} permutations (for a p of 0.05) expected, found {n_permutations}: raise them"
        raise InputError(msg)
    left, right = as_columns(traits, what="traits"), as_columns(markers, what="markers", fill=True)
    learnt = tuple(dict.fromkeys([*map(str, units.trained_on), *map(str, traits.attrs.get(TRAINED_ON, ()))]))
    given = None if covariates is None else as_columns(covariates, what="covariates", fill=True)
    for other, what in ((right, "markers"), (given, "covariates")):
        if other is not None and not left.index.equals(other.index):
            msg = (
                f"{what} of the {len(left)} rows of the traits, in their order, expected, found other names: align them"
            )
            raise InputError(msg)
    if isinstance(units, Individuals):
        return _of_individuals(left, right, given, units, learnt, n_permutations=n_permutations, seed=seed)
    return _of_spots(left, right, given, units, learnt, n_permutations=n_permutations, seed=seed)


def refuse_learnt(who: Sequence[str], learnt: Sequence[str]) -> None:
    """Refuse individuals from whom traits were learnt.

    Raises
    ------
    InputError
        If there are such.
    """
    both = sorted(set(who) & set(learnt))
    if both:
        msg = (
            f"individuals from whom the traits were not learnt expected, found {both[0]!r} and {len(both) - 1} more "
            "from whom they were: traits go with the markers they were trained on, so test them on others"
        )
        raise InputError(msg)


def _of_individuals(
    traits: pd.DataFrame,
    markers: pd.DataFrame,
    given: pd.DataFrame | None,
    units: Individuals,
    learnt: tuple[str, ...],
    *,
    n_permutations: int,
    seed: int,
) -> Associations:
    who = tuple(map(str, traits.index))
    refuse_learnt(who, learnt)
    strata = None if units.strata is None else pd.factorize(pd.Series(list(units.strata)))[0]
    of_covariates = None if given is None else given.to_numpy()
    n_known = 2 + (0 if given is None else given.shape[1])
    if len(traits) <= n_known:
        msg = f"more than {n_known} individuals expected, found {len(traits)}: give more, or fewer covariates"
        raise InputError(msg)
    left, right = traits.to_numpy(), markers.to_numpy()
    scan = linear_scan(left, right, of_covariates)
    p, family = permuted_p(
        left, right, scan, covariates=of_covariates, strata=strata, n_permutations=n_permutations, seed=seed
    )
    least = smallest_p(len(traits), strata, n_permutations=n_permutations)
    notes = [] if len(traits) >= FEWEST else [f"{len(traits)} individuals are too few for a p: effects alone are said"]
    columns = {"n": np.full(p.shape, len(traits)), "r": scan.r, "p_naive": scan.p, "p": p, "p_family": family}
    table, lambdas = _told(columns, traits, markers)
    return Associations(table, lambdas, "individuals", who, least, learnt, tuple(notes))


def _of_spots(
    traits: pd.DataFrame,
    markers: pd.DataFrame,
    given: pd.DataFrame | None,
    units: Spots,
    learnt: tuple[str, ...],
    *,
    n_permutations: int,
    seed: int,
) -> Associations:
    sections = np.asarray(units.sections, str)
    patients = np.array([UNKNOWN if one is None else str(one) for one in units.patients])
    refuse_learnt(sorted(set(patients)), learnt)
    if {len(sections), len(patients), len(units.xy_um)} != {len(traits)}:
        msg = f"a place, section and patient for each of {len(traits)} rows expected, found others: align them"
        raise InputError(msg)
    fields = []
    for name in dict.fromkeys(sections):
        at = sections == name
        fields.append(
            Field(
                section=str(name),
                unit=str(patients[at][0]),
                xy_um=np.asarray(units.xy_um, np.float64)[at],
                traits=traits.to_numpy()[at],
                markers=markers.to_numpy()[at],
                given=None if given is None else given.to_numpy()[at],
                array_xy=None if units.array_xy is None else np.asarray(units.array_xy)[at],
            )
        )
    scan = spot_scan(fields, null=units.null, n_draws=n_permutations, seed=seed)
    who = tuple(dict.fromkeys(patients.tolist()))
    notes = []
    if len(who) < 3:
        notes.append(
            f"{len(who)} individual{'s' * (len(who) > 1)}: what is found holds for this tissue, not for others"
        )
    columns = {"n": np.full(scan.r.shape, len(traits)), "r": scan.r, "p_naive": scan.p_naive, "p": scan.p}
    columns |= {"p_family": _holm(scan.p), "n_individuals": scan.n_units, "agreeing": scan.agreeing}
    least = 1 / (n_permutations + 1)
    table, lambdas = _told(columns, traits, markers)
    return Associations(table, lambdas, "spots", who, least, learnt, tuple(notes))


def _told(
    columns: dict[str, np.ndarray], traits: pd.DataFrame, markers: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay what was found in rows, and say whether the p of all of them are small."""
    shape = columns["p"].shape
    table = pd.DataFrame(
        {
            "trait": np.repeat(traits.columns.to_numpy(), shape[1]),
            "marker": np.tile(markers.columns.to_numpy(), shape[0]),
            **{name: values.ravel() for name, values in columns.items()},
        }
    )
    p = table["p"].to_numpy()
    q, known = np.full(len(p), np.nan), np.isfinite(p)
    if known.any():
        q[known] = false_discovery_control(p[known])
    table.insert(list(table).index("p") + 1, "q", q)
    found = {name: inflation(columns[name]) for name in ("p", "p_naive")}
    lambdas = pd.DataFrame(found, index=["lambda", "error"]).T
    table = table.iloc[np.lexsort((-table["r"].abs(), table["p"]))].reset_index(drop=True)
    return table, lambdas


def _holm(p: np.ndarray) -> np.ndarray:
    """Return Holm's p of all pairs, which holds however they hang together."""
    flat = p.ravel()
    known = np.flatnonzero(np.isfinite(flat))
    order = known[np.argsort(flat[known], kind="stable")]
    adjusted = np.full(len(flat), np.nan)
    times = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(flat[order] * times), 1)
    return adjusted.reshape(p.shape)
