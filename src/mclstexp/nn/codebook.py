"""A codebook: vectors that stand for all that lie near them, moved by running means of those that they stand for."""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

SMOOTHING: Final = 1e-5
"""What is added to each count (Laplace), so that a code nobody uses stays finite."""


class Codebook(nn.Module):
    """Vectors and, for each, running mean count and sum of the rows that it stands for.

    Rules of van den Oord and others (2017, appendix A): no gradient reaches a code; `update` moves it.

    Parameters
    ----------
    size, dim
        How many codes, of how many numbers.
    decay
        Share of the running means that an update keeps.

    Attributes
    ----------
    codes
        (size, dim) the vectors; zeros until `start` or a loaded state.
    counts, sums
        (size,) and (size, dim) running means of how many rows each stood for in a batch, and of their sum.
    """

    codes: Tensor
    counts: Tensor
    sums: Tensor
    started: Tensor

    def __init__(self, size: int, dim: int, *, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("codes", torch.zeros(size, dim))
        self.register_buffer("counts", torch.zeros(size))
        self.register_buffer("sums", torch.zeros(size, dim))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def nearest(self, rows: Float[Tensor, "n dim"]) -> Int[Tensor, " n"]:
        """Return the number of the code nearest to each row; of equally near ones the first.

        Differences are squared one by one: distances by a product of matrices round as the other rows of the batch
        want it, and ties fall by chance.
        """
        return torch.cdist(rows, self.codes, compute_mode="donot_use_mm_for_euclid_dist").argmin(dim=1)

    @torch.no_grad()
    def start(self, rows: Float[Tensor, "n dim"], generator: torch.Generator) -> None:
        """Take rows as codes, each drawn far from those before it (k-means++, Arthur and Vassilvitskii 2007)."""
        self.codes.copy_(spread_rows(rows.float(), len(self.codes), generator))
        self.counts.copy_(torch.bincount(self.nearest(rows.float()), minlength=len(self.codes)))
        self.sums.copy_(self.codes * self.counts[:, None])
        self.started.fill_(value=True)

    @torch.no_grad()
    def update(self, rows: Float[Tensor, "n dim"], chosen: Int[Tensor, " n"]) -> None:
        """Move the codes towards the rows that they were chosen for; to be called after the backward pass."""
        rows = rows.float()
        counts = torch.bincount(chosen, minlength=len(self.codes)).to(rows.dtype)
        sums = torch.zeros_like(self.sums).index_add_(0, chosen, rows)
        self.counts.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        total = self.counts.sum()
        smoothed = (self.counts + SMOOTHING) / (total + len(self.codes) * SMOOTHING) * total
        self.codes.copy_(self.sums / smoothed[:, None])

    @torch.no_grad()
    def revive(self, rows: Float[Tensor, "n dim"], generator: torch.Generator, *, share: float = 0.05) -> int:
        """Put codes that stand for hardly anything onto rows of the batch; return how many.

        Parameters
        ----------
        rows
            What the codes should stand for.
        generator
            Draws the rows.
        share
            A code is dead that stands for less than this share of its even part of the batch.
        """
        even = len(rows) / len(self.codes)
        dead = (self.counts < share * even).nonzero()[:, 0]
        drawn = torch.randint(len(rows), (len(dead),), generator=generator)
        self.codes[dead] = rows[drawn].float()
        self.counts[dead] = even
        self.sums[dead] = even * self.codes[dead]
        return len(dead)


def spread_rows(rows: Float[Tensor, "n dim"], size: int, generator: torch.Generator) -> Float[Tensor, "size dim"]:
    """Draw rows, each with a chance that grows with its squared distance to the nearest one that was drawn."""
    first = int(torch.randint(len(rows), (1,), generator=generator))
    drawn, far = [first], rows.new_full((len(rows),), torch.inf)
    for _ in range(size - 1):
        far = torch.minimum(far, (rows - rows[drawn[-1]]).square().sum(dim=1))
        chance = far if float(far.sum()) > 0 else torch.ones_like(far)  # fewer different rows than codes
        drawn.append(int(torch.multinomial(chance.cpu(), 1, generator=generator)))
    return rows[drawn]
