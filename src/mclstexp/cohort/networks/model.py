"""What models of outcomes share that are networks: how they are fitted, averaged, read and kept."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.cohort.networks.read_out import ReadOut
from mclstexp.core.cohort import Outcomes, Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.outcome_model import OutcomeModel
from mclstexp.nn.device import torch_device
from mclstexp.training.aligned import flat_state, unflatten
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.progress import train_shown


class Look(Protocol):
    """What shows a network some patients."""

    def __call__(self, rows: Tensor, *, draw: bool) -> tuple[Any, ...]:
        """Return what the network takes of these rows; `draw` in training, where chance may have a part."""


_AT_ONCE = 64
"""Patients that are asked for at once."""


@dataclass
class NetworkModel(OutcomeModel):
    """A model of outcomes that is a network, or the mean of some.

    Subclasses write `_learn_inputs`, `_look`, `_network` and the state of what they learnt before the network.
    """

    loss: Literal["cox", "hazards"] = "cox"
    """How survival is learnt: Cox's partial likelihood (Efron's ties), or hazards in time bins. Of other outcomes it is
    the cross-entropy or the squared error."""
    n_bins: int = 4
    """Time bins of hazards."""
    alpha: float = 0.0
    """By how much less those cut off count in hazards: 1 - alpha."""
    by_site: bool = False
    """Cox: patients are compared within their site only."""
    epochs: int = 20
    """Passes over the training patients."""
    batch_size: int = 32
    """Patients in a batch; Cox compares within it."""
    learning_rate: float = 1e-4
    """Peak learning rate."""
    weight_decay: float = 1e-5
    """See `optimiser`."""
    optimiser: Literal["adamw", "adam"] = "adamw"
    """Weight decay is decoupled for "adamw", added to the gradient for "adam"."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Of the learning rate, after a tenth of warm-up; or none."""
    n_models: int = 1
    """Networks fitted with different seeds; what they say is averaged."""
    device: str = "auto"
    """Where torch computes: "cpu", "cuda", or "auto" for a GPU where there is one."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        for name in ("n_bins", "epochs", "batch_size", "n_models"):
            self._require(name, getattr(self, name) >= (2 if name == "n_bins" else 1), "a whole number above 0")
        self._require("learning_rate", self.learning_rate > 0, "a number above 0")
        self._require("alpha", 0 <= self.alpha < 1, "a share from 0 to below 1")

    def _require(self, option: str, good: bool, what: str) -> None:  # noqa: FBT001
        if not good:
            msg = f"{what} expected as option {option} of {self.name}, found {getattr(self, option)}"
            raise InputError(msg)

    def _fit(self, patients: Patients, outcomes: Outcomes) -> None:
        if self.by_site and patients.sites is None:
            msg = f"the site of each patient expected for {self.name} with by_site, found none: give sites, or leave it"
            raise InputError(msg)
        self.read_out_ = ReadOut.fit(outcomes, loss=self.loss, n_bins=self.n_bins, name=self.name)
        self._learn_inputs(patients)
        look = self._look(patients)
        self.networks_ = [
            self._trained(look, patients, outcomes, number=number).eval() for number in range(self.n_models)
        ]

    def _trained(self, look: Look, patients: Patients, outcomes: Outcomes, *, number: int) -> nn.Module:
        """Fit one network to training patients."""
        device = torch_device(self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + number)
            network = self._network().to(device)
        sites = np.asarray(patients.sites, str) if self.by_site else None
        strata = None if sites is None else torch.from_numpy(np.unique(sites, return_inverse=True)[1])
        loss = self.read_out_.loss(outcomes, alpha=self.alpha, strata=strata, device=device)

        def step(rows: Tensor) -> Tensor:
            return loss(network(*look(rows, draw=True)), rows.to(device))

        label = self.name if self.n_models == 1 else f"{self.name} {number + 1}/{self.n_models}"
        train_shown(network, step, len(patients), options=self._training(number), label=label)
        return network

    def _training(self, number: int) -> TrainingOptions:
        return TrainingOptions(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            optimiser=self.optimiser,
            schedule=self.schedule,
            drop_last=False,
            seed=self.seed + number,
        )

    @torch.inference_mode()
    def _logits(self, patients: Patients) -> Float[Tensor, "n_patients n_out"]:
        look = self._look(patients)
        parts = []
        for rows in torch.arange(len(patients)).split(_AT_ONCE):
            # tiles are streamed, anew for each network
            said = [network(*look(rows, draw=False)).double().cpu() for network in self.networks_]
            parts.append(torch.stack(said).mean(dim=0))
        return torch.cat(parts)

    def _predict(self, patients: Patients) -> Float[np.ndarray, " n_patients"]:
        return self.read_out_.risk(self._logits(patients))

    def _survival(
        self,
        patients: Patients,
        risk: Float[np.ndarray, " n_patients"],
        months: Float[np.ndarray, " n_times"],
    ) -> Float[np.ndarray, "n_patients n_times"]:
        if not len(self.read_out_.edges):
            return super()._survival(patients, risk, months)
        return self.read_out_.survival(self._logits(patients), months)

    def _get_state(self) -> State:
        arrays = {
            f"network_{number}.{name}": array
            for number, network in enumerate(self.networks_)
            for name, array in flat_state(network).items()
        }
        return State(arrays, {}).joined(self.read_out_.state()).joined(self._inputs_state())

    def _set_state(self, state: State) -> None:
        self.read_out_ = ReadOut.of_state(state, self.kind_)
        self._take_inputs(state)
        self.networks_ = []
        for number in range(self.n_models):
            network = self._network()
            network.load_state_dict(unflatten(state.arrays, f"network_{number}."))
            self.networks_.append(network.eval().to(torch_device(self.device)))

    @abstractmethod
    def _learn_inputs(self, patients: Patients) -> None:
        """Learn what lies before the network: which genes, their scale, prototypes."""

    @abstractmethod
    def _look(self, patients: Patients) -> Look:
        """Return what shows the network some of these patients."""

    @abstractmethod
    def _network(self) -> nn.Module:
        """Make a network of `read_out_.n_out` numbers for what was learnt before it."""

    @abstractmethod
    def _inputs_state(self) -> State:
        """Return what `_learn_inputs` learnt."""

    @abstractmethod
    def _take_inputs(self, state: State) -> None:
        """Take back what `_inputs_state` returned."""
