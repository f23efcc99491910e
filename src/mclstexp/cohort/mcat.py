"""MCAT (Chen et al. 2021): groups of genes look at the tiles of a slide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mclstexp.cohort.networks.bags_and_groups import BagsAndGroups
from mclstexp.cohort.networks.coattended import tile_effects
from mclstexp.cohort.networks.model import Look
from mclstexp.core.cohort import Patients
from mclstexp.core.outcome_model import register
from mclstexp.nn.device import torch_device
from mclstexp.nn.himt import Himt
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

    def explain_tiles(self, patients: Patients) -> Iterator[tuple[str, pd.DataFrame]]:
        """See `OutcomeModel.explain_tiles`: how the risk moves with a few more of such tiles, and "weight".

        That is how much the groups of genes look at the tile, in their mean, 1 as at the mean tile. Where tiles have
        several scales, both are of the finest; what wider ones say goes into what is asked of it.
        """
        shown = self._shown(patients, fitted=True)
        look = self._look(shown)
        for row, (name, bag) in enumerate(zip(shown.ids, shown.bags or (), strict=True)):
            assert bag is not None
            slope = self.slope_ * self.read_out_.slope(self._heard(look, torch.tensor([row])))
            there = slope.float().to(torch_device(self.device))
            effects, weights = np.zeros(bag.n_tiles), np.zeros(bag.n_tiles)
            for network in self.networks_:
                assert isinstance(network, Mcat | Himt)
                with torch.no_grad():
                    (tiles,), genes = look(torch.tensor([row]), draw=False)
                    asked = network.asked(tiles, genes)
                found = tile_effects(asked, partial(self._chunks, bag, self.scale_, most=None), there)
                effects += found[0] / self.n_models
                weights += found[1] / self.n_models
            yield name, pd.DataFrame({"risk": effects, "weight": weights})

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
