"""Attention over a bag of any length, read in chunks: the softmax over it need not be known in advance."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

Scored = tuple[Float[Tensor, "n_queries n"], Float[Tensor, "n dim"]]
"""Raw scores of some patches for each query, and the patches."""


def softmax_sum(chunks: Iterable[Scored]) -> Float[Tensor, "n_queries dim"]:
    """Return the sum over all patches, weighted by the softmax of their scores.

    Parameters
    ----------
    chunks
        Of one bag.

    Raises
    ------
    ValueError
        If there are none.
    """
    top: Tensor | None = None
    weight = total = torch.zeros(())
    for scores, patches in chunks:
        highest = scores.detach().amax(dim=1, keepdim=True)
        if top is not None:
            highest = torch.maximum(top, highest)
            fade = (top - highest).exp()
            weight, total = fade * weight, fade * total
        shares = (scores - highest).exp()
        weight, total, top = weight + shares.sum(dim=1, keepdim=True), total + shares @ patches, highest
    if top is None:
        msg = "chunks of a bag expected, found none"
        raise ValueError(msg)
    return total / weight
