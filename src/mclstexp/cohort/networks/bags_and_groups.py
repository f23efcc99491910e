"""What networks share in which groups of genes look at tiles."""

from __future__ import annotations

from dataclasses import dataclass

from mclstexp.cohort.linear.pathways import Source, part_of
from mclstexp.cohort.networks.bag_model import BagModel
from mclstexp.cohort.networks.gene_groups import GeneGroups
from mclstexp.core.cohort import Part, Patients
from mclstexp.core.method import State


@dataclass
class BagsAndGroups(BagModel):
    """A network of tiles and of groups of genes."""

    reads: Source = "genes"
    """What of pathways, or other sets of genes, it reads: expression of their genes, or their scores."""
    width: int = 256
    """Of a token."""
    n_heads: int = 8
    """Of the Transformers over tokens."""
    hidden: int = 512
    """Inner width of these."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("width", self.width >= 1 and self.width % self.n_heads == 0, "a multiple of n_heads")

    @property
    def takes(self) -> frozenset[Part]:
        """What of patients it looks at."""
        return frozenset({"bags", part_of(self.reads)})

    def _learn_inputs(self, patients: Patients) -> None:
        super()._learn_inputs(patients)
        self.groups_ = GeneGroups.fit(patients, self.reads, name=self.name)

    def _inputs_state(self) -> State:
        return super()._inputs_state().joined(self.groups_.state())

    def _take_inputs(self, state: State) -> None:
        super()._take_inputs(state)
        self.groups_ = GeneGroups.of_state(state)
