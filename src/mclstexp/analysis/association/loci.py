"""Loci: of neighbouring markers that tell of one place on the genome, the one that tells most."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from mclstexp.core.errors import InputError

NEAR_BP: Final = 500_000
"""Within it a marker belongs to the locus."""
LINKED_BP: Final = 1_000_000
"""Within it one does that goes with the locus's best marker."""
LINKED_R2: Final = 0.1


def find_loci(
    found: pd.DataFrame, positions: pd.DataFrame, genotypes: pd.DataFrame | None = None, *, by: str = "p"
) -> pd.DataFrame:
    """Keep of the markers that were found the best of each place.

    The smallest p first: markers of its chromosome within 500 kb go to it, and those within 1 Mb whose r² with it is at
    least 0.1; then the next of those that are left.

    Parameters
    ----------
    found
        "marker" and a column of p, as `Associations.found` returns them; of several traits the smallest p counts.
    positions
        "chromosome" and "position" (base pairs) by marker.
    genotypes
        A column for each marker, for r²; without it distance alone counts.
    by
        The column of p.

    Returns
    -------
    The rows of the best markers, the smallest p first, with "chromosome", "position" and "n_markers" of the locus.

    Raises
    ------
    InputError
        If a marker has no position.
    """
    best = found.sort_values(by, kind="stable").drop_duplicates("marker")
    lacking = sorted(set(map(str, best["marker"])) - set(map(str, positions.index)))
    if lacking or not {"chromosome", "position"} <= set(positions):
        what = f"none of {lacking[0]!r}" if lacking else "no such column"
        msg = f"chromosome and position of each marker expected, found {what}: add it to the positions"
        raise InputError(msg)
    best = best.join(positions[["chromosome", "position"]], on="marker")
    left, kept = best, []
    while len(left):
        lead = left.iloc[0]
        apart = (left["position"] - lead["position"]).abs()
        here = left["chromosome"] == lead["chromosome"]
        goes = here & (apart <= NEAR_BP)
        if genotypes is not None:
            near = here & (apart <= LINKED_BP)
            linked = genotypes[left.loc[near, "marker"]].corrwith(genotypes[lead["marker"]]) ** 2 >= LINKED_R2
            goes |= near & left["marker"].isin(linked.index[linked])
        kept.append({**lead, "n_markers": int(goes.sum())})
        left = left[~goes]
    return pd.DataFrame(kept, columns=[*best, "n_markers"]).astype({"n_markers": np.int64})
