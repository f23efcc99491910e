"""What networks share that read tiles themselves: bags that are drawn from in training and streamed in prediction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mclstexp.cohort.networks.feature_scale import FeatureScale
from mclstexp.cohort.networks.model import NetworkModel
from mclstexp.core.bag import Bag
from mclstexp.core.cohort import Patients
from mclstexp.core.method import State
from mclstexp.nn.device import torch_device


@dataclass
class BagModel(NetworkModel):
    """A network that is shown some tiles of each patient in training, others each time, and all in prediction."""

    streams: ClassVar[bool] = True

    n_tiles: int = 4096
    """Tiles of a patient that are drawn for each pass in training; they are held in memory together."""
    standardise: bool = True
    """Whether features are brought to the mean and spread of the training tiles first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("n_tiles", self.n_tiles >= 1, "a whole number above 0")

    def _learn_inputs(self, patients: Patients) -> None:
        self.scale_ = FeatureScale.fit(patients) if self.standardise else FeatureScale.none(self.dim_)

    def _inputs_state(self) -> State:
        return self.scale_.state("tiles")

    def _take_inputs(self, state: State) -> None:
        self.scale_ = FeatureScale.of_state(state, "tiles", dim=self.dim_)

    def _chunks(self, bag: Bag, scale: FeatureScale, *, most: int | None) -> Iterator[Float[Tensor, "n dim"]]:
        """Yield a bag's scaled tiles: at most so many, drawn by torch's random numbers, or all, streamed."""
        device = torch_device(self.device)
        if most is None or bag.n_tiles <= most:
            for chunk in bag.chunks():
                yield torch.from_numpy(scale(chunk)).to(device)
            return
        numbers = torch.randperm(bag.n_tiles)[:most].sort().values
        yield torch.from_numpy(scale(bag.take(numbers.numpy()))).to(device)
