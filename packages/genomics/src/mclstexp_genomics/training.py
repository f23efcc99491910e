"""What the three stages share: steps that say how far they are, and a learning rate that rises and falls."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from mclstexp.core.progress import counted


def steps(label: str, total: int) -> Iterator[int]:
    """Count to `total`, and say on stderr how far it is."""
    with counted(label, total, unit="batch") as on_done:
        for number in range(total):
            yield number
            on_done(number + 1, "")


def warmed(optimiser: torch.optim.Optimizer, total: int, *, warm_up: float = 0.05) -> torch.optim.lr_scheduler.LambdaLR:
    """Let the rate rise over the first share of the steps, and fall as a cosine over the others."""
    rising = max(1, int(warm_up * total))

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, total - rising)))

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
