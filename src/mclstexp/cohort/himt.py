"""A hierarchical multimodal Transformer after Li et al. 2022 (arXiv 2211.16632): a reconstruction."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from mclstexp.cohort.mcat import McatModel
from mclstexp.cohort.networks.feature_scale import FeatureScale, levels_of
from mclstexp.cohort.networks.model import Look
from mclstexp.core.bag import Bag
from mclstexp.core.cohort import Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.outcome_model import register
from mclstexp.core.stored import stored_number
from mclstexp.nn.device import torch_device
from mclstexp.nn.himt import Himt

_LEVELS: Final = 3
"""Magnifications of the paper: 2, 1 and 0.5 µm per pixel."""


@register("himt")
@dataclass
class HimtModel(McatModel):
    """Groups of genes look at tiles from far, and what they saw says where they look from nearer.

    After Li et al. 2022; details are not public. Certain are tiles at several magnifications, drawn at random, a
    co-attention between images and genes, a hierarchy, and a Transformer over what it leaves. The rest is a
    reconstruction: the layers, the loss and the training are MCAT's, and the hierarchy adds what a level saw to the
    questions that the next is asked. It is no reproduction, and no score of it is one of theirs.

    It takes the scales that the slides were embedded at (`Bag.coarser`, the widest first); where there is one alone,
    it says so and has no hierarchy. Coarser levels show it fewer tiles: half as many at each.
    """

    n_tiles: int = 1024
    """Tiles of a patient that are drawn for each pass in training, at the finest level."""

    def _learn_inputs(self, patients: Patients) -> None:
        super()._learn_inputs(patients)
        self.n_levels_ = next(len(levels_of(bag)) for bag in patients.bags or () if bag is not None)
        self._check_levels(patients)
        if self.n_levels_ < _LEVELS:
            found = "one, so that nothing is above it" if self.n_levels_ == 1 else str(self.n_levels_)
            text = f"{self.name} looks at tiles of three scales (2, 1 and 0.5 µm per pixel): these slides have {found}"
            warnings.warn(text, stacklevel=2)
        self.scales_ = [
            FeatureScale.fit(patients, level=level) if self.standardise else FeatureScale.none(self.dim_)
            for level in range(self.n_levels_ - 1)
        ]
        self.scales_.append(self.scale_)

    def _check_levels(self, patients: Patients) -> None:
        for name, bag in zip(patients.ids, patients.bags or (), strict=True):
            if bag is not None and len(levels_of(bag)) != self.n_levels_:
                msg = (
                    f"tiles of {self.n_levels_} scales expected for this {self.name}, found {len(levels_of(bag))} of "
                    f"{name!r}: embed all slides alike"
                )
                raise InputError(msg)

    def _look(self, patients: Patients) -> Look:
        bags = [levels_of(bag) for bag in patients.bags or () if bag is not None]
        self._check_levels(patients)
        genes = torch.from_numpy(self.groups_.values(patients)).to(torch_device(self.device))

        def look(rows: Tensor, *, draw: bool) -> tuple[Any, ...]:
            return [self._some(bags[row], draw=draw) for row in rows.tolist()], genes[rows]

        return look

    def _some(self, levels: list[Bag], *, draw: bool) -> list[Any]:
        finest = len(levels) - 1
        most = [max(1, self.n_tiles >> (finest - level)) if draw else None for level in range(len(levels))]
        return [self._chunks(bag, scale, most=n) for bag, scale, n in zip(levels, self.scales_, most, strict=True)]

    def _network(self) -> nn.Module:
        return Himt(
            self.dim_,
            self.groups_.sizes,
            n_levels=self.n_levels_,
            width=self.width,
            n_heads=self.n_heads,
            hidden=self.hidden,
            n_out=self.read_out_.n_out,
        )

    def _inputs_state(self) -> State:
        state = State({}, {"n_levels": self.n_levels_}).joined(super()._inputs_state())
        for level, scale in enumerate(self.scales_[:-1]):
            state = state.joined(scale.state(f"level_{level}"))
        return state

    def _take_inputs(self, state: State) -> None:
        super()._take_inputs(state)
        self.n_levels_ = stored_number(state, "n_levels", low=1)
        names = [f"level_{level}" for level in range(self.n_levels_ - 1)]
        self.scales_ = [*(FeatureScale.of_state(state, name, dim=self.dim_) for name in names), self.scale_]
