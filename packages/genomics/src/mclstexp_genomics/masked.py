"""VQDNA, stage 2: a Transformer learns to guess the codes of hidden tokens; the vocabulary stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.core.errors import InputError
from mclstexp_genomics.sequences import UNKNOWN, Bases
from mclstexp_genomics.tokenizer import Tokenizer, augmented
from mclstexp_genomics.training import steps, warmed
from mclstexp_genomics.transformer import Layer

MASKED: Final = 0.15
"""Share of the tokens that are guessed. The paper's value was not available."""
MEAN_SPAN: Final = 3
"""Tokens hidden side by side, on average."""


@dataclass(frozen=True)
class ModelOptions:
    """Size of the Transformer, and how it learns to guess. None of the paper's values was available."""

    width: int = 128
    """Numbers in a token."""
    layers: int = 4
    """Layers."""
    heads: int = 4
    """Heads of attention; they divide the width into even parts."""
    dropout: float = 0.1
    """Share that is dropped in training."""
    steps: int = 2000
    """Batches of masked modelling; 0 learns nothing before the task."""
    batch: int = 64
    """Sequences in a batch."""
    rate: float = 5e-4
    """Largest learning rate."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.heads) < 1 or self.width % (2 * self.heads):
            msg = (
                f"heads that divide the width into even parts expected, found {self.heads} and {self.width}: try 4, 64"
            )
            raise InputError(msg)


class MaskedModel(nn.Module):
    """A Transformer over the tokens of a frozen vocabulary, with a head for each level.

    Parameters
    ----------
    tokenizer
        The vocabulary.
    options
        Size.
    """

    def __init__(self, tokenizer: Tokenizer, options: ModelOptions) -> None:
        super().__init__()
        self.tokenizer = tokenizer.requires_grad_(requires_grad=False).eval()
        self.options = options
        self.into = nn.Linear(tokenizer.options.dim, options.width)
        self.mask = nn.Parameter(torch.zeros(tokenizer.options.dim))
        self.layers = nn.ModuleList(
            Layer(options.width, options.heads, dropout=options.dropout) for _ in range(options.layers)
        )
        self.norm = nn.LayerNorm(options.width)
        self.heads = nn.ModuleList(nn.Linear(options.width, size) for size in tokenizer.options.sizes)

    def forward(
        self,
        codes: Int[Tensor, "n length n_levels"],
        valid: Bool[Tensor, "n length"],
        hidden: Bool[Tensor, "n length"] | None = None,
    ) -> Float[Tensor, "n length width"]:
        """Return what the model makes of each token.

        Parameters
        ----------
        codes
            Of the tokens, coarse to fine.
        valid
            Which of them are of known bases.
        hidden
            Which are not shown; none by default.
        """
        given = self.tokenizer.quantiser.values_of(codes)
        if hidden is not None:
            given = torch.where(hidden[..., None], self.mask, given)
        x = self.into(given)
        for layer in self.layers:
            x = layer(x, valid)
        return self.norm(x)

    def train(self, mode: bool = True) -> MaskedModel:  # noqa: FBT001, FBT002  as torch's
        """Train, or not, all but the vocabulary."""
        super().train(mode)
        self.tokenizer.eval()
        return self


def known_tokens(bases: Bases, patch: int) -> Bool[np.ndarray, "n n_tokens"]:
    """Return which tokens hold a known base; in a row without any all count, or nothing could be looked at."""
    whole = bases[:, : bases.shape[1] // patch * patch].reshape(len(bases), -1, patch)
    known = (whole != UNKNOWN).any(axis=2)
    return known | ~known.any(axis=1, keepdims=True)


def spans(
    valid: Bool[np.ndarray, "n length"], rng: np.random.Generator, *, share: float = MASKED, mean: float = MEAN_SPAN
) -> Bool[np.ndarray, "n length"]:
    """Choose tokens to be guessed, in spans of geometric length, until a share of the valid ones is chosen."""
    chosen = np.zeros_like(valid)
    for row, possible in zip(chosen, valid, strict=True):
        places = np.flatnonzero(possible)
        wanted = max(1, round(share * len(places)))
        while row.sum() < wanted:
            start = rng.integers(len(places))
            row[places[start : start + min(int(rng.geometric(1 / mean)), wanted - int(row.sum()))]] = True
    return chosen


def masked_loss(
    model: MaskedModel,
    codes: Int[Tensor, "n length n_levels"],
    valid: Bool[Tensor, "n length"],
    rng: np.random.Generator,
) -> Float[Tensor, ""]:
    """Return the cross-entropy at chosen tokens, mean over levels.

    Of these, 80 % are hidden, 10 % replaced by the codes of another token, 10 % shown.
    """
    chosen = torch.as_tensor(spans(valid.numpy(), rng))
    dice = torch.as_tensor(rng.random(chosen.shape))
    others = codes.flatten(end_dim=1)[torch.as_tensor(rng.integers(codes[..., 0].numel(), size=tuple(chosen.shape)))]
    shown = torch.where((chosen & (dice > 0.9))[..., None], others, codes)
    seen = model(shown, valid, chosen & (dice < 0.8))[chosen]
    losses = [functional.cross_entropy(head(seen), codes[chosen][:, at]) for at, head in enumerate(model.heads)]
    return torch.stack(losses).mean()


def pretrain(
    tokenizer: Tokenizer,
    bases: Bases,
    options: ModelOptions = ModelOptions(),
) -> MaskedModel:
    """Learn to guess hidden tokens of training sequences.

    Parameters
    ----------
    tokenizer
        The vocabulary, which stays as it is.
    bases
        Training sequences.
    options
        Size and training.
    """
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    model = MaskedModel(tokenizer, options).train()
    if options.steps == 0:
        return model.eval()
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], options.rate)
    rate, patch = warmed(optimiser, options.steps), tokenizer.options.patch
    for _ in steps("Guessing hidden tokens", options.steps):
        batch = augmented(bases[rng.integers(len(bases), size=options.batch)], rng, patch)
        codes, valid = torch.as_tensor(tokenizer.tokens(batch)), torch.as_tensor(known_tokens(batch, patch))
        loss = masked_loss(model, codes, valid, rng)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    return model.eval()
