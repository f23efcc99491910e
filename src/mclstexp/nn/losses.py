"""Contrastive losses on a matrix of logits, spots by tiles."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def contrastive_loss(logits: Float[Tensor, "n n"], *, targets: Float[Tensor, "n n"] | None = None) -> Float[Tensor, ""]:
    """Symmetric cross-entropy: each spot should pick its own tile, each tile its own spot.

    Parameters
    ----------
    logits
        (n, n) similarity of spot i and tile j over the temperature.
    targets
        (n, n) wanted probabilities, rows for spots; their transpose serves the tiles (BLEEP). The identity by
        default (CLIP; mclSTExp, arXiv 2407.08216).
    """
    if targets is None:
        own = torch.arange(len(logits), device=logits.device)
        return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2
    spots = -(targets * logits.log_softmax(dim=-1)).sum(dim=-1)
    tiles = -(targets.T * logits.T.log_softmax(dim=-1)).sum(dim=-1)
    return (spots + tiles).mean() / 2
