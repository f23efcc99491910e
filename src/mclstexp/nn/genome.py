"""Values in the order of a genome: windows of neighbouring genes or variants as tokens, placed by their megabases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mclstexp.nn.transformer import PreNormBlock

BP_PER_MB = 1e6


@dataclass(frozen=True, eq=False)
class GenomeOrder:
    """Which values lie in which window, and where that is."""

    window: Int[np.ndarray, "n_windows width"]
    """Columns of the values of each window by position; -1 where it is padded. A window never leaves its chromosome."""
    chromosome: Int[np.ndarray, " n_windows"]
    """Number of its chromosome, from 0; the last number is of values whose position is not known."""
    centre_mb: Float[np.ndarray, " n_windows"]
    """Where its middle lies, in megabases."""

    @classmethod
    def of(
        cls, chromosome: Int[np.ndarray, " n_values"], position_bp: Float[np.ndarray, " n_values"], *, width: int
    ) -> Self:
        """Cut chromosomes into windows of `width` values that follow each other.

        Parameters
        ----------
        chromosome
            Number of each value's, from 0; -1 where it is not known.
        position_bp
            Where it lies there.
        width
            Values in a window; the last of a chromosome is padded.
        """
        number = np.where(chromosome < 0, chromosome.max(initial=-1) + 1, chromosome)
        position = np.where(chromosome < 0, 0.0, position_bp)
        windows, chromosomes, centres = [], [], []
        for one in np.unique(number):
            at = np.flatnonzero(number == one)
            at = at[np.argsort(position[at], kind="stable")]
            for start in range(0, len(at), width):
                some = at[start : start + width]
                windows.append(np.pad(some, (0, width - len(some)), constant_values=-1))
                chromosomes.append(one)
                centres.append((position[some[0]] + position[some[-1]]) / 2 / BP_PER_MB)
        return cls(np.array(windows), np.array(chromosomes), np.array(centres))


def position_code(centre_mb: Float[Tensor, " n"], dim: int) -> Float[Tensor, "n dim"]:
    """Return sines, then cosines, of megabases: wavelengths from 6 to 340 Mb.

    Physical distance, not rank: the products of two codes depend on how far apart they are alone.
    """
    n_waves = dim // 2
    rate = torch.exp(-4 * torch.arange(n_waves, dtype=centre_mb.dtype) / max(n_waves - 1, 1))
    angle = centre_mb[:, None] * rate.to(centre_mb.device)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


class GenomeEncoder(nn.Module):
    """Windows of the genome as a Transformer's tokens; what learnt questions find in them.

    Tokens are a linear layer of a window's values, the code of its place, and a vector of its chromosome. Pre-norm
    blocks; then four learnt queries attend to all windows (a mean would not say which one spoke).

    Parameters
    ----------
    order
        Of the values.
    channels
        Numbers for each value: 1 for expression, 3 for genotypes (`calls`).
    dim, depth, n_heads, dropout
        Of the Transformer.
    out
        Length of the embedding.
    """

    window: Tensor
    there: Tensor
    chromosome: Tensor
    place: Tensor

    def __init__(
        self,
        order: GenomeOrder,
        *,
        channels: int = 1,
        dim: int = 64,
        depth: int = 2,
        n_heads: int = 4,
        dropout: float = 0.1,
        out: int = 32,
    ) -> None:
        super().__init__()
        self.register_buffer("window", torch.from_numpy(order.window).clamp(min=0), persistent=False)
        self.register_buffer("there", torch.from_numpy(order.window >= 0)[..., None], persistent=False)
        self.register_buffer("chromosome", torch.from_numpy(order.chromosome), persistent=False)
        self.register_buffer("place", position_code(torch.from_numpy(order.centre_mb).float(), dim), persistent=False)
        width = order.window.shape[1]
        self.channels = channels
        self.embed = nn.Linear(channels * width, dim)
        self.chromosomes = nn.Embedding(int(order.chromosome.max()) + 1, dim)
        self.blocks = nn.ModuleList(
            PreNormBlock(dim, n_heads=n_heads, head_dim=dim // n_heads, hidden=2 * dim, dropout=dropout)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim)
        self.queries = nn.Parameter(torch.randn(4, dim) / dim**0.5)
        self.out = nn.Linear(4 * dim, out)

    def forward(self, values: Float[Tensor, "n n_numbers"]) -> Float[Tensor, "n out"]:
        """Embed rows of values, (n, n_values · channels) in the values' own order, channels of a value together."""
        by_value = values.view(len(values), -1, self.channels)
        windows = by_value[:, self.window] * self.there
        tokens = self.embed(windows.flatten(2)) + self.place + self.chromosomes(self.chromosome)
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        asked = (self.queries @ tokens.transpose(1, 2) / tokens.shape[-1] ** 0.5).softmax(dim=-1) @ tokens
        return self.out(asked.flatten(1))


def calls(dosage: Float[Tensor, "n n_variants"]) -> Float[Tensor, "n n_numbers"]:
    """Return how near each dosage is to 0, 1 and 2: one of three for a call, a mixture where it was imputed."""
    steps = torch.arange(3, dtype=dosage.dtype, device=dosage.device)
    return (1 - (dosage[..., None] - steps).abs()).clamp(min=0).flatten(1)
