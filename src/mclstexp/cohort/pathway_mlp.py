"""A self-normalising network for each pathway's genes, and their mean (as MMP reads pathways alone)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from mclstexp.cohort.linear.pathways import Source, part_of
from mclstexp.cohort.networks.gene_groups import GeneGroups
from mclstexp.cohort.networks.model import Look, NetworkModel
from mclstexp.core.cohort import Part, Patients
from mclstexp.core.method import State
from mclstexp.core.outcome_model import register
from mclstexp.nn.device import torch_device
from mclstexp.nn.pathway_networks import PathwayMlp


@register("pathway_mlp")
@dataclass
class PathwayMlpModel(NetworkModel):
    """Pathways' tokens out of their genes, averaged, and one number: what expression says without a slide.

    As published in its sizes (preset); by default narrower, and with all patients in a batch where they are few.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "width": 256,
            "epochs": 50,
            "batch_size": 64,
            "learning_rate": 1e-4,
            "weight_decay": 1e-5,
        }
    }

    width: int = 64
    """Of a pathway's token."""
    reads: Source = "genes"
    """What of pathways it reads: expression of their genes, or their scores."""
    epochs: int = 60
    """Passes over the training patients."""
    batch_size: int = 64
    """Patients in a batch; Cox compares within it."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    weight_decay: float = 1e-2
    """See `optimiser`."""

    @property
    def takes(self) -> frozenset[Part]:
        """What of patients it looks at."""
        return frozenset({part_of(self.reads)})

    def _learn_inputs(self, patients: Patients) -> None:
        self.groups_ = GeneGroups.fit(patients, self.reads, name=self.name)

    def _look(self, patients: Patients) -> Look:
        genes = torch.from_numpy(self.groups_.values(patients)).to(torch_device(self.device))
        return lambda rows, draw: (genes[rows],)  # noqa: ARG005  nothing of it is drawn

    def _network(self) -> nn.Module:
        return PathwayMlp(self.groups_.sizes, self.width, n_out=self.read_out_.n_out)

    def _inputs_state(self) -> State:
        return self.groups_.state()

    def _take_inputs(self, state: State) -> None:
        self.groups_ = GeneGroups.of_state(state)
