"""What the strict protocol chooses on held-out training sections."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mclstexp.core.errors import InputError


@dataclass(frozen=True)
class Choice:
    """Settings of training length, retrieval and what is seen.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    epochs: int
    """Passes over the training spots."""
    k: int
    """Measured spots that a prediction is a mean of."""
    sharpness: float
    """How much more the nearest of them weigh; 0: all alike."""
    context_share: float
    """Share of the models that see a tile's surroundings too."""

    def __post_init__(self) -> None:
        if self.k < 1 or not (0 <= self.sharpness < math.inf and 0 <= self.context_share <= 1):
            msg = f"k of 1 or more, a sharpness of 0 or more and a share up to 1 expected, found {self}: fit again"
            raise InputError(msg)
