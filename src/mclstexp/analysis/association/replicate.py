"""Whether what was found in some individuals is there in others."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from mclstexp.analysis.association.associate import (
    Associations,
    Individuals,
    Units,
    associate,
    refuse_learnt,
)
from mclstexp.core.errors import InputError
from mclstexp.core.section import UNKNOWN

LEVEL = 0.05


def replicate(
    discovery: Associations,
    traits: pd.DataFrame,
    markers: pd.DataFrame,
    units: Units = Individuals(),  # noqa: B008  frozen
    *,
    covariates: pd.DataFrame | None = None,
    by: Literal["q", "p_family"] = "q",
    n_permutations: int = 999,
) -> pd.DataFrame:
    """Test the pairs that a scan found, and them alone, in individuals who had no part in it.

    Parameters
    ----------
    discovery
        What `associate` found.
    traits, markers, units, covariates, n_permutations
        Of the other individuals, as for `associate`: the same columns.
    by
        Which of the pairs below 0.05 count as found: by false discovery rate, or by the chance of any false one.

    Returns
    -------
    A row for each of those pairs: "trait", "marker", "r" (in the discovery), "r_replication", "p_replication"
    (one-sided, for the discovery's sign) and "replicated": p at most 0.05 by their number. Empty where none was found.

    Raises
    ------
    InputError
        As `associate`; if an individual had a part in the discovery, is unknown, or columns differ.
    """
    found = discovery.found(level=LEVEL, by=by)[["trait", "marker", "r"]].reset_index(drop=True)
    if found.empty:
        return found.assign(r_replication=0.0, p_replication=1.0, replicated=False)
    who = (
        list(map(str, traits.index))
        if isinstance(units, Individuals)
        else [UNKNOWN if patient is None else str(patient) for patient in units.patients]
    )
    old = sorted(set(who) & {*discovery.who, UNKNOWN})
    if old:
        msg = (
            f"individuals who had no part in the discovery expected, found {old[0]!r}: leave them out of one of the two"
        )
        raise InputError(msg)
    refuse_learnt(sorted(set(who)), discovery.trained_on)
    again = associate(traits, markers, units, covariates=covariates, n_permutations=n_permutations)
    told = again.table.set_index(["trait", "marker"])[["r", "p"]]
    pairs = pd.MultiIndex.from_frame(found[["trait", "marker"]])
    lacking = [pair for pair in pairs if pair not in told.index]
    if lacking:
        msg = f"the traits and markers that were found expected, found none of {lacking[0]}: give the same columns"
        raise InputError(msg)
    same = told.loc[pairs]
    agrees = np.sign(same["r"].to_numpy()) == np.sign(found["r"].to_numpy())
    half = same["p"].to_numpy() / 2
    found["r_replication"] = same["r"].to_numpy()
    found["p_replication"] = np.where(agrees, half, 1 - half)
    found["replicated"] = found["p_replication"] <= LEVEL / len(found)
    return found
