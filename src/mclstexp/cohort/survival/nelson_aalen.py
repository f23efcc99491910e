"""Nelson-Aalen: the hazard that has added up over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mclstexp.cohort.survival.follow_up import Steps, risk_table


def nelson_aalen(time: ArrayLike, event: ArrayLike) -> Steps:
    """Estimate the cumulative hazard: events over those at risk, added up (Aalen 1978).

    Raises
    ------
    InputError
        As `follow_up.checked`.
    """
    table = risk_table(time, event)
    return Steps(table.times, np.cumsum(table.events / table.at_risk), 0.0)
