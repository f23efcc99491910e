"""MCAT (Chen et al. 2021): groups of genes look at the tiles of a slide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from mclstexp.cohort.networks.bags_and_groups import BagsAndGroups
from mclstexp.cohort.networks.model import Look
from mclstexp.core.cohort import Patients
from mclstexp.core.outcome_model import register
from mclstexp.nn.device import torch_device
from mclstexp.nn.mcat import Mcat


@register("mcat")
@dataclass
class McatModel(BagsAndGroups):
    """Each group of genes asks all tiles by co-attention; what it saw and what it is are read by Transformers.

    Network, loss (hazards in four bins) and training are as published: Adam with a constant rate, 32 patients before
    each step, 20 passes. What differs: bins are those of the training patients, patients are drawn evenly instead of
    by the rarity of their bin, nothing is left over at the end of a pass, and features are standardised (not in the
    preset).
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"published": {"standardise": False}}

    loss: Literal["cox", "hazards"] = "hazards"
    """How survival is learnt: hazards in time bins, or Cox's partial likelihood (Efron's ties). Of other outcomes it is
    the cross-entropy or the squared error."""
    learning_rate: float = 2e-4
    """Peak learning rate."""
    optimiser: Literal["adamw", "adam"] = "adam"
    """Weight decay is added to the gradient for "adam", decoupled for "adamw"."""
    schedule: Literal["cosine", "constant"] = "constant"
    """Of the learning rate, after a tenth of warm-up; or none."""

    def _look(self, patients: Patients) -> Look:
        bags = patients.bags
        assert bags is not None
        genes = torch.from_numpy(self.groups_.values(patients)).to(torch_device(self.device))

        def look(rows: Tensor, *, draw: bool) -> tuple[Any, ...]:
            most = self.n_tiles if draw else None
            return [self._chunks(bags[row], self.scale_, most=most) for row in rows.tolist()], genes[rows]

        return look

    def _network(self) -> nn.Module:
        sizes = self.groups_.sizes
        heads, hidden = self.n_heads, self.hidden
        return Mcat(self.dim_, sizes, width=self.width, n_heads=heads, hidden=hidden, n_out=self.read_out_.n_out)
