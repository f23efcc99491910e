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


def soft_targets(
    images: Float[Tensor, "n dim"], spots: Float[Tensor, "n dim"], *, temperature: float | Float[Tensor, ""]
) -> Float[Tensor, "n n"]:
    """Return wanted probabilities for `contrastive_loss`: tiles and spots that resemble each other share them.

    softmax over each row of (V Vᵀ + S Sᵀ) / 2 / temperature (BLEEP, Xie et al. 2023; nothing stops the gradient).

    Parameters
    ----------
    images, spots
        V and S: embeddings, row i of both belongs together.
    temperature
        That of the logits.
    """
    return ((images @ images.T + spots @ spots.T) / 2 / temperature).softmax(dim=-1)


def correlation_loss(predicted: Float[Tensor, "n n_genes"], truth: Float[Tensor, "n n_genes"]) -> Float[Tensor, ""]:
    """Mean over genes of 1 - PCC over the batch: scale and offset of a gene, hence its dispersion, do not count."""
    read, wanted = predicted - predicted.mean(dim=0), truth - truth.mean(dim=0)
    # the small number: a head that starts at zero is constant, and its correlation has no slope to follow
    together = (read * wanted).sum(dim=0) / (read.norm(dim=0) * wanted.norm(dim=0) + 1e-6)
    return (1 - together).mean()
