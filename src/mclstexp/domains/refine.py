"""Labels smoothed by a vote of neighbours, as stMMC is published with; it swallows what is thinner than the vote."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from mclstexp.domains.near import nearest_rows


def vote(
    groups: Int[np.ndarray, " n_spots"], places: Float[np.ndarray, "n_spots n_axes"], n_voters: int
) -> Int[np.ndarray, " n_spots"]:
    """Give each spot the group that most of its nearest others have; it has no vote itself.

    Parameters
    ----------
    groups
        Of each spot; all votes are by these.
    places
        Where the spots lie.
    n_voters
        How many others vote. Of groups with as many votes the one that is met first, nearest first, counts.
    """
    voters = groups[nearest_rows(places, n_voters)]
    kinds = np.unique(groups)
    votes = (voters[:, :, None] == kinds).sum(axis=1)
    leading = votes == votes.max(axis=1, keepdims=True)
    first = (leading[np.arange(len(groups))[:, None], np.searchsorted(kinds, voters)]).argmax(axis=1)
    return voters[np.arange(len(groups)), first]
