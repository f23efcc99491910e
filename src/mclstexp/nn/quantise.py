"""Vector and residual quantisation: a vector becomes the number of a code, or of several, coarse to fine.

The rules are those of van den Oord and others (2017), and of residual quantisers with codebooks of growing size as
VQDNA has them (Li and others 2024, arXiv 2405.10812). That paper's sizes, commitment and decay were not available
to us: the defaults are our own choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.core.errors import InputError
from mclstexp.nn.codebook import Codebook

COMMITMENT: Final = 0.25
"""Weight of the commitment in the loss."""
REVIVAL_EVERY: Final = 20
"""Updates between two looks for dead codes."""


@dataclass(frozen=True, eq=False)
class Quantised:
    """What a quantiser made of vectors."""

    values: Float[Tensor, "*rows dim"]
    """Sum of the chosen codes; in training the gradient passes through it to the vectors as if it were they."""
    codes: Int[Tensor, "*rows n_levels"]
    """Number of the chosen code at each level."""
    commitment: Float[Tensor, ""]
    """How far (squared, mean, sum over levels) each level's residual lies from its code; pulls the vectors alone."""
    residuals: tuple[Float[Tensor, "*rows dim"], ...]
    """What each level was given, without gradient."""


class Quantiser(nn.Module):
    """One or more codebooks, each for what those before it left over.

    Parameters
    ----------
    sizes
        Codes of each level, coarse to fine; one level is plain vector quantisation.
    dim
        Numbers in a vector.
    decay
        Share of the running means that an update keeps.
    generator
        Draws first codes and those that replace dead ones.

    Raises
    ------
    InputError
        If a level has no code, there is no level, or the decay is no share.
    """

    updates: Tensor

    def __init__(
        self, sizes: Sequence[int], dim: int, *, decay: float = 0.99, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        if not sizes or min(sizes) < 1:
            msg = f"at least one level of at least one code expected, found sizes {tuple(sizes)}: give some"
            raise InputError(msg)
        if not 0 <= decay < 1:
            msg = f"a decay from 0 to below 1 expected, found {decay}: 0.99 is usual"
            raise InputError(msg)
        self.levels = nn.ModuleList(Codebook(size, dim, decay=decay) for size in sizes)
        self._generator = generator or torch.Generator().manual_seed(0)
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    def books(self) -> list[Codebook]:
        """Return the codebooks, coarse to fine."""
        return [book for book in self.levels if isinstance(book, Codebook)]

    def forward(self, vectors: Float[Tensor, "*rows dim"]) -> Quantised:
        """Choose codes; in training the first batch makes them.

        Parameters
        ----------
        vectors
            (…, dim) what is quantised, in float32 whatever it comes in.
        """
        rows = vectors.flatten(end_dim=-2).float()
        left, residuals, chosen = rows, [], []
        commitment = rows.new_zeros(())
        for book in self.books():
            if self.training and not book.started:
                book.start(left.detach(), self._generator)
            number = book.nearest(left.detach())
            code = book.codes[number]
            commitment = commitment + functional.mse_loss(left, code)
            residuals.append(left.detach().reshape(vectors.shape))
            chosen.append(number)
            left = left - code
        total = (rows - left).detach()
        straight = rows + (total - rows).detach() if rows.requires_grad else total
        return Quantised(
            values=straight.reshape(vectors.shape),
            codes=torch.stack(chosen, dim=-1).reshape(*vectors.shape[:-1], len(chosen)),
            commitment=commitment,
            residuals=tuple(residuals),
        )

    def update(self, found: Quantised) -> None:
        """Move the codes towards what they were chosen for, and revive dead ones now and then.

        Once for each batch, after its backward pass; nothing happens outside training.
        """
        if not self.training:
            return
        self.updates += 1
        for level, book in enumerate(self.books()):
            rows = found.residuals[level].flatten(end_dim=-2)
            book.update(rows, found.codes[..., level].flatten())
            if int(self.updates) % REVIVAL_EVERY == 0:
                book.revive(rows, self._generator)

    def values_of(self, codes: Int[Tensor, "*rows n_levels"]) -> Float[Tensor, "*rows dim"]:
        """Return the sum of the codes with these numbers; fewer levels than there are give a coarser answer."""
        chosen = codes.unbind(dim=-1)
        parts = [book.codes[number] for number, book in zip(chosen, self.books(), strict=False)]
        return torch.stack(parts).sum(dim=0)


def usage(codes: Int[Tensor, "*rows"], size: int) -> dict[str, Any]:
    """Say how codes of one level are used.

    Parameters
    ----------
    codes
        Numbers of the chosen codes.
    size
        How many there are.

    Returns
    -------
    ``used``, how many were chosen at all; ``perplexity``, exp of the entropy in nats: how many codes, used evenly,
    would be as hard to guess.
    """
    counts = torch.bincount(codes.flatten(), minlength=size).double()
    share = counts / counts.sum().clamp(min=1)
    entropy = -(share * share.clamp(min=1e-300).log()).sum()
    return {"used": int((counts > 0).sum()), "perplexity": float(entropy.exp())}
