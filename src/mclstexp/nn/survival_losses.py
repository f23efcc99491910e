"""Losses of times that may be cut off: Cox's partial likelihood, hazards of time bins, the order of pairs."""

from __future__ import annotations

from typing import Final, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

_LEAST: Final = 1e-7
"""What a probability is taken for at least before its logarithm (MCAT, MMP)."""


def cox_loss(
    risk: Float[Tensor, " n"],
    time: Float[Tensor, " n"],
    event: Bool[Tensor, " n"],
    *,
    ties: Literal["efron", "breslow"] = "efron",
    strata: Int[Tensor, " n"] | None = None,
) -> Float[Tensor, ""]:
    """Return minus the log partial likelihood, per event; 0, with a slope of 0, where nobody had one.

    Parameters
    ----------
    risk
        Log hazard ratio: higher is earlier.
    time, event
        When a patient was last seen, and whether that was the event.
    ties
        What is done with events at one time.
    strata
        Patients are compared within their stratum only, such as a site.
    """
    groups = [torch.arange(len(risk), device=risk.device)]
    if strata is not None:
        groups = [torch.nonzero(strata == value)[:, 0] for value in strata.unique()]
    total = risk.sum() * 0
    for rows in groups:
        total = total + _minus_log_likelihood(risk[rows], time[rows], event[rows], efron=ties == "efron")
    return total / event.sum().clamp(min=1)


def _minus_log_likelihood(risk: Tensor, time: Tensor, event: Tensor, *, efron: bool) -> Tensor:
    order = torch.argsort(time, descending=True, stable=True)
    risk, time, event = risk[order], time[order], event[order].to(risk.dtype)
    _, block, sizes = torch.unique_consecutive(time, return_inverse=True, return_counts=True)
    last = sizes.cumsum(dim=0) - 1
    at_risk = torch.logcumsumexp(risk, dim=0)[last][block]  # everybody seen at that time or later
    if efron:
        empty = torch.zeros(len(sizes), dtype=risk.dtype, device=risk.device)
        share = empty.index_add(0, block, (risk - at_risk).exp() * event)  # of the risk set's weight: who has the event
        number = empty.index_add(0, block, event)
        # the how-manieth event of its time: 0, 1, …
        before = (event.cumsum(dim=0) - event) - (number.cumsum(dim=0) - number)[block]
        gone = torch.where(event > 0, before / number[block].clamp(min=1), 0) * share[block]
        at_risk = at_risk + torch.log1p(-gone)
    return ((at_risk - risk) * event).sum()


def log_survival(logits: Float[Tensor, "n n_bins"]) -> Float[Tensor, "n n_bins"]:
    """Return the log probability of outliving each bin, of the logits of the bins' hazards."""
    return functional.logsigmoid(-logits).cumsum(dim=1)


def hazard_loss(
    logits: Float[Tensor, "n n_bins"], bins: Int[Tensor, " n"], event: Bool[Tensor, " n"], *, alpha: float = 0.0
) -> Float[Tensor, ""]:
    """Return the mean negative log likelihood of hazards in time bins (Zadeh and Schmid 2020; MCAT, SurvPath, MMP).

    Parameters
    ----------
    logits
        Of the hazard in each bin.
    bins
        In which a patient was last seen; one cut off is taken to have outlived it.
    event
        Whether that was the event.
    alpha
        By how much less those that were cut off count: 1 - alpha.
    """
    least = torch.tensor(_LEAST).log().item()
    outlived = log_survival(logits)
    here = bins[:, None]
    survived = outlived.gather(1, here)[:, 0].clamp(min=least)
    until = functional.pad(outlived, (1, 0)).gather(1, here)[:, 0].clamp(min=least)
    hazard = functional.logsigmoid(logits).gather(1, here)[:, 0].clamp(min=least)
    return torch.where(event, -until - hazard, -(1 - alpha) * survived).mean()


def hazard_risk(logits: Float[Tensor, "n n_bins"]) -> Float[Tensor, " n"]:
    """Return minus the summed survival over bins: higher is earlier."""
    return -log_survival(logits).exp().sum(dim=1)


def ranking_loss(risk: Float[Tensor, " n"], time: Float[Tensor, " n"], event: Bool[Tensor, " n"]) -> Float[Tensor, ""]:
    """Return minus the mean, over pairs of which one had its event first, of how surely the risks say so.

    0, with a slope of 0, where there is no such pair.
    """
    first, later = torch.nonzero(event[:, None] & (time[:, None] < time[None, :])).unbind(dim=1)
    return risk.sum() * 0 - (risk[first] - risk[later]).sigmoid().sum() / max(1, len(first))
