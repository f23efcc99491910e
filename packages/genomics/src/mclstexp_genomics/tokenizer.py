"""VQDNA, stage 1: a vocabulary of DNA, learnt by an autoencoder whose middle is quantised coarse to fine.

Of the paper (Li and others 2024, arXiv 2405.10812) the three stages, vector quantisation and codebooks of growing size
could be read; no code exists. Widths, sizes, patch, commitment, decay and steps were not available: all are options,
and their defaults our own choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.core.errors import InputError
from mclstexp.nn.quantise import COMMITMENT, Quantised, Quantiser
from mclstexp_genomics.sequences import UNKNOWN, Bases, other_strand
from mclstexp_genomics.training import steps


@dataclass(frozen=True)
class TokenizerOptions:
    """How the vocabulary is learnt."""

    patch: int = 4
    """Bases in a token. The paper's value was not available."""
    sizes: tuple[int, ...] = (16, 64, 256)
    """Codes at each level, coarse to fine; one level is plain vector quantisation. The paper's values were not
    available."""
    dim: int = 64
    """Numbers in a code. The paper's value was not available."""
    width: int = 64
    """Channels of encoder and decoder. The paper's value was not available."""
    overlap: bool = False
    """Whether the encoder looks over the patch at its neighbours, by kernels of seven. Masked modelling then leaks: a
    neighbour's token has seen the masked bases."""
    decay: float = 0.99
    """Share of the running means of a code that a batch keeps. The paper's value was not available."""
    steps: int = 1000
    """Batches. The paper's value was not available."""
    batch: int = 64
    """Sequences in a batch."""
    rate: float = 2e-3
    """Learning rate at the start, falling as a cosine. The paper's value was not available."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        for name in ("patch", "dim", "width", "steps", "batch"):
            if getattr(self, name) < 1:
                msg = f"{name} must be at least 1, found {getattr(self, name)}"
                raise InputError(msg)


class Block(nn.Module):
    """A residual block: layer norm, each channel over its neighbours (if any), four times as wide and back."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.along = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width) if kernel > 1 else nn.Identity()
        self.wide, self.back = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "n length width"]) -> Float[Tensor, "n length width"]:
        """Add what the block finds."""
        along = self.along(self.norm(x).transpose(1, 2)).transpose(1, 2)
        return x + self.back(functional.gelu(self.wide(along)))


class Tokenizer(nn.Module):
    """Encoder, quantiser and decoder.

    Parameters
    ----------
    options
        Sizes.
    """

    def __init__(self, options: TokenizerOptions) -> None:
        super().__init__()
        self.options = options
        kernel = 7 if options.overlap else 1
        around = [nn.Conv1d(5, options.width, 7, padding=3), nn.GELU()] if options.overlap else []
        letters = options.width if options.overlap else 5
        self.patches = nn.Sequential(
            *around, nn.Conv1d(letters, options.width, options.patch, stride=options.patch), nn.GELU()
        )
        self.encoder = nn.Sequential(
            Block(options.width, kernel), Block(options.width, kernel), nn.Linear(options.width, options.dim)
        )
        self.quantiser = Quantiser(
            options.sizes, options.dim, decay=options.decay, generator=torch.Generator().manual_seed(options.seed)
        )
        self.decoder = nn.Sequential(
            nn.Linear(options.dim, options.width),
            Block(options.width, kernel),
            Block(options.width, kernel),
            nn.Linear(options.width, 4 * options.patch),
        )

    def encode(self, bases: Int[Tensor, "n length"]) -> Float[Tensor, "n n_tokens dim"]:
        """Return a vector for each whole patch."""
        seen = functional.one_hot(bases, 5).float().transpose(1, 2)
        return self.encoder(self.patches(seen).transpose(1, 2))

    def decode(self, values: Float[Tensor, "n n_tokens dim"]) -> Float[Tensor, "n length 4"]:
        """Return a score for each letter at each base of the patches."""
        return self.decoder(values).reshape(len(values), -1, 4)

    def forward(self, bases: Int[Tensor, "n length"]) -> tuple[Float[Tensor, "n length 4"], Quantised]:
        """Return the scores of the letters and what the quantiser found."""
        found = self.quantiser(self.encode(bases))
        return self.decode(found.values), found

    @torch.inference_mode()
    def tokens(self, bases: Bases, *, batch: int = 512) -> Int[np.ndarray, "n n_tokens n_levels"]:
        """Return the codes of each patch, coarse to fine."""
        self.eval()
        parts = [self.quantiser(self.encode(part)).codes for part in torch.as_tensor(bases).split(batch)]
        return torch.cat(parts).numpy()


def reconstruction_loss(scores: Float[Tensor, "n length 4"], bases: Int[Tensor, "n length"]) -> Float[Tensor, ""]:
    """Return the cross-entropy over the bases that are known and lie in a whole patch."""
    known = bases[:, : scores.shape[1]]
    return functional.cross_entropy(scores.transpose(1, 2), known, ignore_index=UNKNOWN)


def fit_tokenizer(bases: Bases, options: TokenizerOptions = TokenizerOptions()) -> Tokenizer:
    """Learn a vocabulary; sequences are turned to the other strand and shifted by chance.

    Parameters
    ----------
    bases
        Training sequences.
    options
        How.

    Raises
    ------
    InputError
        If sequences are shorter than a patch, or there is none.
    """
    if len(bases) == 0 or bases.shape[1] < options.patch:
        msg = f"sequences of at least {options.patch} bases (a patch) expected, found {bases.shape}: give longer ones"
        raise InputError(msg)
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    model = Tokenizer(options).train()
    optimiser = torch.optim.AdamW(model.parameters(), options.rate, betas=(0.9, 0.95), weight_decay=0.01)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.steps)
    for _ in steps("Learning the vocabulary", options.steps):
        batch = torch.as_tensor(augmented(bases[rng.integers(len(bases), size=options.batch)], rng, options.patch))
        scores, found = model(batch)
        loss = reconstruction_loss(scores, batch) + COMMITMENT * found.commitment
        optimiser.zero_grad()
        loss.backward()
        model.quantiser.update(found)
        optimiser.step()
        falling.step()
    return model.eval()


def augmented(bases: Bases, rng: np.random.Generator, patch: int) -> Bases:
    """Return the rows, half of them on the other strand, shifted by less than a patch: frames start by chance."""
    turned = np.where(rng.random((len(bases), 1)) < 0.5, other_strand(bases), bases)
    shift = int(rng.integers(patch))
    return np.concatenate([turned[:, shift:], np.full((len(bases), shift), UNKNOWN)], axis=1)
