"""How long a network is fitted, and how far it can then be believed: chosen on training patients held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mclstexp.cohort.networks.read_out import Loss

Rows = Int[np.ndarray, " _"]
Trained = Callable[[Rows, Rows], Mapping[int, Float[Tensor, "n n_out"]]]
"""Rows to be fitted to and rows to be asked, to the numbers said of the latter after each number of epochs."""
_SLOPES = np.linspace(0.05, 1.5, 30)
"""By what risks are multiplied: those of a network that was fitted for too long are too far apart."""


def chosen_epochs(
    parts: Sequence[tuple[Rows, Rows]], trained: Trained, loss: Loss, *, slopes: bool
) -> tuple[int, float]:
    """Return the number of epochs, and what risks are then multiplied by.

    Parameters
    ----------
    parts
        Of each division of the training patients, who is learnt from and who is asked.
    trained
        Fits a network.
    loss
        What is minimised, summed over all who were asked.
    slopes
        Whether risks may be multiplied: by what, is chosen with the epochs, for a network that orders patients well and
        overstates how far they are apart would be judged by the latter.
    """
    said = [trained(rows, out) for rows, out in parts]
    tried = [1.0] if not slopes else _SLOPES.tolist()

    def held_out(epochs: int, slope: float) -> float:
        losses = [
            len(out) * float(loss(slope * own[epochs], torch.from_numpy(out)))
            for (_, out), own in zip(parts, said, strict=True)
        ]
        return sum(losses)

    choices = [(held_out(epochs, slope), epochs, slope) for epochs in said[0] for slope in tried]
    _, epochs, slope = min(choices)
    return epochs, slope
