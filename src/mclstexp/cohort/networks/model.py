"""What models of outcomes share that are networks: how they are fitted, averaged, read and kept."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.cohort.folds import inner_folds
from mclstexp.cohort.networks.epochs import Rows, chosen_epochs
from mclstexp.cohort.networks.read_out import Loss, ReadOut
from mclstexp.core.cohort import Outcomes, Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.outcome_model import OutcomeModel
from mclstexp.core.progress import counted
from mclstexp.core.stored import stored_number
from mclstexp.nn.device import torch_device
from mclstexp.training.aligned import flat_state, unflatten
from mclstexp.training.loop import TrainingOptions, train
from mclstexp.training.progress import epoch_progress


class Look(Protocol):
    """What shows a network some patients."""

    def __call__(self, rows: Tensor, *, draw: bool) -> tuple[Any, ...]:
        """Return what the network takes of these rows; `draw` in training, where chance may have a part."""


_N_INNER: Final = 5
_EPOCHS: Final = (30, 60, 100)
"""What is tried where the number is left open."""
_AT_ONCE: Final = 64
"""Patients that are asked for at once."""


@dataclass
class NetworkModel(OutcomeModel):
    """A model of outcomes that is a network, or the mean of some.

    Subclasses write `_learn_inputs`, `_look`, `_network` and the state of what they learnt before the network.
    """

    streams: ClassVar[bool] = False
    """Whether it goes through all tiles each time it is asked, which takes a while."""

    loss: Literal["cox", "hazards"] = "cox"
    """How survival is learnt: Cox's partial likelihood (Efron's ties), or hazards in time bins. Of other outcomes it is
    the cross-entropy or the squared error."""
    n_bins: int = 4
    """Time bins of hazards."""
    alpha: float = 0.0
    """By how much less those cut off count in hazards: 1 - alpha."""
    by_site: bool = False
    """Cox: patients are compared within their site only."""
    epochs: int | None = 20
    """Passes over the training patients; None: 30, 60 or 100, chosen on training sites held out in turn."""
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
    clip_norm: float | None = 1.0
    """Largest norm of the gradient; None: as it comes."""
    n_models: int = 1
    """Networks fitted with different seeds; what they say is averaged."""
    device: str = "auto"
    """Where torch computes: "cpu", "cuda", or "auto" for a GPU where there is one."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        self._require("n_bins", self.n_bins >= 2, "a whole number above 1")
        for name in ("epochs", "batch_size", "n_models"):
            self._require(name, getattr(self, name) is None or getattr(self, name) >= 1, "a whole number above 0")
        self._require("learning_rate", self.learning_rate > 0, "a number above 0")
        self._require("alpha", 0 <= self.alpha < 1, "a share from 0 to below 1")

    def _require(self, option: str, good: bool, what: str) -> None:  # noqa: FBT001
        if not good:
            msg = f"{what} expected as option {option} of {self.name}, found {getattr(self, option)}"
            raise InputError(msg)

    def _fit(self, patients: Patients, outcomes: Outcomes) -> Float[np.ndarray, " n_patients"]:
        if self.by_site and patients.sites is None:
            msg = f"the site of each patient expected for {self.name} with by_site, found none: give sites, or leave it"
            raise InputError(msg)
        self.read_out_ = ReadOut.fit(outcomes, loss=self.loss, n_bins=self.n_bins, name=self.name)
        self._learn_inputs(patients)
        look, loss = self._look(patients), self._loss(patients, outcomes, torch_device(self.device))
        self.epochs_, self.slope_ = self.epochs or max(_EPOCHS), 1.0
        if self.epochs is None:
            self.epochs_, self.slope_ = self._choose(look, loss, patients, outcomes)
        self.networks_ = [
            self._trained(look, loss, np.arange(len(patients)), number=number).eval() for number in range(self.n_models)
        ]
        self._learn_effects(look, len(patients))
        return self.read_out_.risk(self._heard(look, torch.arange(len(patients))))

    def _loss(self, patients: Patients, outcomes: Outcomes, device: torch.device) -> Loss:
        sites = np.asarray(patients.sites, str) if self.by_site else None
        strata = None if sites is None else torch.from_numpy(np.unique(sites, return_inverse=True)[1])
        return self.read_out_.loss(outcomes, alpha=self.alpha, strata=strata, device=device)

    def _choose(self, look: Look, loss: Loss, patients: Patients, outcomes: Outcomes) -> tuple[int, float]:
        """Choose epochs; what lies before the network knows no outcome and is not learnt again."""
        place = {name: row for row, name in enumerate(patients.ids)}

        def rows_of(names: tuple[str, ...]) -> Rows:
            return np.array([place[name] for name in names])

        folds = inner_folds(patients, outcomes, n_folds=_N_INNER, seed=self.seed)
        parts = [(rows_of(kept), rows_of(out)) for kept, out in folds]
        done = 0

        def trained(rows: Rows, out: Rows) -> dict[int, Tensor]:
            nonlocal done
            done, said = done + 1, {}

            def on_epoch(epoch: int, network: nn.Module) -> None:
                if epoch in _EPOCHS:
                    said[epoch] = self._said(network, look, torch.from_numpy(out))

            self._trained(look, loss, rows, number=0, on_epoch=on_epoch, label=f"choice {done}/{len(parts)}")
            return said

        slopes = self.kind_ == "survival" and self.loss == "cox"
        on_cpu = self._loss(patients, outcomes, torch.device("cpu"))  # as what is said of those held out
        return chosen_epochs(parts, trained, on_cpu, slopes=slopes)

    def _trained(
        self,
        look: Look,
        loss: Loss,
        of: Rows,
        *,
        number: int,
        on_epoch: Callable[[int, nn.Module], None] | None = None,
        label: str = "",
    ) -> nn.Module:
        """Fit one network to some training patients."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + number)
            network = self._network().to(torch_device(self.device))
        own = torch.from_numpy(of)

        def step(rows: Tensor) -> Tensor:
            return loss(network(*look(own[rows], draw=True)), own[rows])

        options = self._training(number, epochs=self.epochs_)
        label = f"{self.name} {label or f'{number + 1}/{self.n_models}'}"
        with epoch_progress(label, options.epochs) as shown:

            def after(epoch: int, value: float) -> None:
                shown(epoch, value)
                if on_epoch is not None:
                    on_epoch(epoch, network)

            train(network, step, len(of), options=options, key=label, on_epoch=after)
        return network

    def _training(self, number: int, *, epochs: int) -> TrainingOptions:
        return TrainingOptions(
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            optimiser=self.optimiser,
            schedule=self.schedule,
            clip_norm=self.clip_norm,
            drop_last=False,
            seed=self.seed + number,
        )

    @torch.inference_mode()
    def _said(self, network: nn.Module, look: Look, rows: Tensor) -> Float[Tensor, "n n_out"]:
        return torch.cat([network.eval()(*look(some, draw=False)) for some in rows.split(_AT_ONCE)]).cpu()

    def _heard(self, look: Look, rows: Tensor) -> Float[Tensor, "n n_out"]:
        """Return what the networks say of some patients, averaged."""
        parts = rows.split(1 if self.streams else _AT_ONCE)
        found = []
        with counted(f"{self.name} looks", len(rows), unit="patient", show=self.streams) as on_done:
            for number, some in enumerate(parts, start=1):
                said = [self._said(network, look, some).double() for network in self.networks_]
                found.append(torch.stack(said).mean(dim=0))
                on_done(min(number * len(parts[0]), len(rows)), "")
        return self.slope_ * torch.cat(found)

    @property
    def _own_level(self) -> float:
        """What a risk is counted from that its tiles explain: the training patients' mean."""
        return self.centre_ if self.kind_ == "survival" else self.read_out_.mean

    def _logits(self, patients: Patients) -> Float[Tensor, "n_patients n_out"]:
        return self._heard(self._look(patients), torch.arange(len(patients)))

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
        kept = State(arrays, {"epochs": self.epochs_, "slope": self.slope_})
        return kept.joined(self.read_out_.state()).joined(self._inputs_state())

    def _set_state(self, state: State) -> None:
        self.read_out_ = ReadOut.of_state(state, self.kind_)
        self.epochs_, self.slope_ = stored_number(state, "epochs", low=1), float(state.meta["slope"])
        self._take_inputs(state)
        self.networks_ = []
        for number in range(self.n_models):
            network = self._network()
            network.load_state_dict(unflatten(state.arrays, f"network_{number}."))
            self.networks_.append(network.eval().to(torch_device(self.device)))

    @abstractmethod
    def _learn_inputs(self, patients: Patients) -> None:
        """Learn what lies before the network: which genes, their scale, prototypes."""

    def _learn_effects(self, look: Look, n_patients: int) -> None:
        """Note what `explain` needs of training patients; by default nothing."""

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
