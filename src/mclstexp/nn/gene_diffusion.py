"""Diffusion over genes: noised answers of some genes are cleaned beside the known answers of others."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mclstexp.nn.adaptive_norm import AdaptiveBlock, AdaptiveOutput, TimeEmbedding
from mclstexp.nn.diffusion import cosine_kept

_N_WAVES: Final = 64
_LEAST_KEPT: Final = 1e-4


class GeneDenoiser(nn.Module):
    """A transformer whose tokens are genes; it returns clean answers, a linear map of the cells' scores among them.

    Parameters
    ----------
    n_answers, n_scores
        Numbers of a gene on the section and in the cells.
    dim, depth, n_heads, dropout
        Of the transformer.
    """

    def __init__(
        self, n_answers: int, n_scores: int, *, dim: int = 128, depth: int = 2, n_heads: int = 4, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.into = nn.Linear(n_answers + n_scores + 1, dim)
        self.time = TimeEmbedding(dim, n_waves=_N_WAVES)
        self.blocks = nn.ModuleList(AdaptiveBlock(dim, n_heads=n_heads, ratio=2, dropout=dropout) for _ in range(depth))
        self.out = AdaptiveOutput(dim, n_answers)
        self.straight = nn.Linear(n_scores, n_answers)

    def forward(
        self,
        answers: Float[Tensor, "*batch n n_answers"],
        scores: Float[Tensor, "n n_scores"],
        time: Float[Tensor, " n"],
    ) -> Float[Tensor, "*batch n n_answers"]:
        """Clean the answers whose time is above 0; those of time 0 are known, and all may look at them.

        A noised gene sees the known ones and itself, never another noised one: what is said of it does not depend on
        what else is asked.
        """
        noised = time > 0
        shape = (*answers.shape[:-1], -1)
        given = torch.cat([answers, scores.expand(shape), noised[:, None].float().expand(shape)], dim=-1)
        tokens, condition = self.into(given), self.time(time).expand(shape)
        for block in self.blocks:
            tokens = block(tokens, condition, visible(noised))
        return self.straight(scores) + self.out(tokens, condition)


def visible(noised: Bool[Tensor, " n"]) -> Bool[Tensor, "n n"]:
    """Say which gene (column) each one (row) may look at: those that are known, and itself."""
    return ~noised[None, :] | torch.eye(len(noised), dtype=torch.bool, device=noised.device)


def kept_signal(n_steps: int) -> Float[Tensor, " n"]:
    """Return the share of variance that is signal after 0 … n_steps steps, from 1 down to 0.0001."""
    kept = cosine_kept(np.arange(n_steps + 1) / n_steps)
    return torch.tensor(np.maximum(kept / kept[0], _LEAST_KEPT), dtype=torch.float32)


@torch.no_grad()
def sample(
    network: GeneDenoiser,
    context: Float[Tensor, "n_known n_answers"],
    scores: Float[Tensor, "n n_scores"],
    *,
    noise: Float[Tensor, "n_draws n_answers"],
    n_steps: int,
    n_stops: int = 10,
) -> Float[Tensor, "n_draws n_asked n_answers"]:
    """Draw answers of genes by going from noise to clean values without chance (DDIM; Song and others 2021).

    Parameters
    ----------
    network
        Trained.
    context
        Answers of the known genes.
    scores
        Of the known genes, then of those that are asked for.
    noise
        Where each draw starts; every gene starts at the same, so that none depends on how many are asked.
    n_steps
        Steps of the schedule.
    n_stops
        Steps that are taken.
    """
    kept = kept_signal(n_steps)
    stops = np.linspace(n_steps, 0, n_stops + 1).round().astype(int)
    n_draws, n_asked = len(noise), len(scores) - len(context)
    known = context.expand(n_draws, -1, -1)
    values = noise[:, None].expand(-1, n_asked, -1)
    for at, to in pairwise(stops):
        time = torch.cat([torch.zeros(len(context)), torch.full((n_asked,), float(at))])
        clean = network(torch.cat([known, values], dim=1), scores, time)[:, len(context) :]
        rest = (values - kept[at].sqrt() * clean) / (1 - kept[at]).sqrt()
        values = kept[to].sqrt() * clean + (1 - kept[to]).sqrt() * rest if to else clean
    return values
