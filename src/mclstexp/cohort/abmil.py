"""Gated attention over all tiles of a patient (Ilse, Tomczak and Welling 2018): what a slide says by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mclstexp.cohort.networks.bag_model import BagModel
from mclstexp.cohort.networks.model import Look
from mclstexp.core.bag import Bag
from mclstexp.core.cohort import Part, Patients
from mclstexp.core.outcome_model import register
from mclstexp.nn.gated_attention import Abmil, Chunks

_TAKES: Final[frozenset[Part]] = frozenset({"bags"})


@register("abmil")
@dataclass
class AbmilModel(BagModel):
    """Each tile through a layer, a weighted mean of all, a head; the weights are learnt with it.

    Sizes and training are those of published baselines: 4,096 tiles of a patient each time, groups of 32 patients for
    Cox, AdamW for 20 passes.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"published": {"standardise": False}}

    width: int = 512
    """Of a tile after its layer."""
    hidden: int = 384
    """Of the attention."""

    @property
    def takes(self) -> frozenset[Part]:
        """What of patients it looks at."""
        return _TAKES

    @property
    def tiles_add_up(self) -> bool:
        """Whether what tiles add is exact: with one number the head is linear in the weighted mean."""
        return self.read_out_.n_out == 1

    def explain_tiles(self, patients: Patients) -> Iterator[tuple[str, pd.DataFrame]]:
        """See `OutcomeModel.explain_tiles`: "risk", and "weight", the tile's share in the patient's mean.

        A tile's risk is what it would have alone, as much as the attention weighs it: exact, given the attention. Of
        hazards in bins their sum over bins stands for it, and the patient's mean tile is 0.
        """
        for name, bag in zip(patients.ids, self._shown(patients, fitted=True).bags or (), strict=True):
            assert bag is not None
            yield name, self._tiles(bag)

    @torch.inference_mode()
    def _tiles(self, bag: Bag) -> pd.DataFrame:
        weights, pulls = np.zeros(bag.n_tiles), np.zeros(bag.n_tiles)
        for network in self.networks_:
            assert isinstance(network, Abmil)
            weighed = [network.weigh(chunk) for chunk in self._chunks(bag, self.scale_, most=None)]
            share = torch.cat([scores for scores, _ in weighed]).double().softmax(dim=0).cpu().numpy()
            alone = torch.cat([logits for _, logits in weighed]).double().sum(dim=1).cpu().numpy()
            risk = self.slope_ * self.read_out_.spread * alone + self.read_out_.mean
            weights += share * bag.n_tiles / self.n_models
            level = self._own_level if self.tiles_add_up else share @ risk
            pulls += share * (risk - level) * bag.n_tiles / self.n_models
        return pd.DataFrame({"risk": pulls, "weight": weights})

    def _look(self, patients: Patients) -> Look:
        bags = patients.bags
        assert bags is not None

        def look(rows: Tensor, *, draw: bool) -> tuple[list[Chunks]]:
            most = self.n_tiles if draw else None
            return ([self._chunks(bags[row], self.scale_, most=most) for row in rows.tolist()],)

        return look

    def _network(self) -> nn.Module:
        return Abmil(self.dim_, width=self.width, hidden=self.hidden, n_out=self.read_out_.n_out)
