"""How likely a patient is still watched at a time: what inverse weights are made of, learnt on training patients."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mclstexp.cohort.survival.follow_up import Steps, checked, risk_table

_LEAST_AT_RISK, _LEAST_WATCHED = 0.1, 0.05


def censoring_survival(time: ArrayLike, event: ArrayLike) -> Steps:
    """Estimate the share that is still watched over time, by reverse Kaplan-Meier.

    Where events and censorings share a time, events leave first. The value at a time is the one from there on, as
    scikit-survival has it.

    Parameters
    ----------
    time, event
        (n,) follow-up of the training patients.

    Raises
    ------
    InputError
        As `follow_up.checked`.
    """
    table = risk_table(time, event)
    left = table.at_risk - table.events
    factor = np.where(left > 0, 1 - table.censored / np.where(left > 0, left, 1), 1.0)
    return Steps(table.times, np.cumprod(factor), 1.0)


def usual_tau(time: ArrayLike, event: ArrayLike) -> float:
    """Return up to when inverse weights can be trusted.

    The largest training time with a tenth of the training patients still at risk and a share above 0.05 still watched.

    Raises
    ------
    InputError
        As `follow_up.checked`.
    """
    times, events = checked(time, event)
    table = risk_table(times, events)
    watched = censoring_survival(times, events).at(table.times)
    good = (table.at_risk >= _LEAST_AT_RISK * len(times)) & (watched > _LEAST_WATCHED)
    return float(table.times[good][-1] if good.any() else table.times[0])
