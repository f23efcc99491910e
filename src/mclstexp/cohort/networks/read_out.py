"""How a network's numbers are read as an outcome, and by what they are fitted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from mclstexp.core.cohort import Kind, Outcomes
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.stored import stored_arrays
from mclstexp.nn.survival_losses import cox_loss, hazard_loss, hazard_risk, log_survival

Loss = Callable[[Tensor, Tensor], Tensor]
"""Numbers of some patients, and which rows they are, to what is minimised."""


@dataclass(frozen=True, eq=False)
class ReadOut:
    """Of one kind of outcome."""

    kind: Kind
    """Which."""
    edges: Float[np.ndarray, " n_edges"]
    """Months between time bins, from 0 to the last time seen; none where hazards are not read by bins."""
    mean: float = 0.0
    """Of numbers: what 0 stands for."""
    spread: float = 1.0
    """And what 1 is."""

    @classmethod
    def fit(cls, outcomes: Outcomes, *, loss: Literal["cox", "hazards"], n_bins: int, name: str) -> ReadOut:
        """Learn it from training patients.

        Raises
        ------
        InputError
            If there are fewer than two events for each time bin.
        """
        if outcomes.value is not None:
            if outcomes.kind == "binary":
                return cls("binary", np.empty(0))
            return cls("continuous", np.empty(0), float(outcomes.value.mean()), float(outcomes.value.std()))
        assert outcomes.time is not None
        assert outcomes.event is not None
        return cls("survival", _edges(outcomes, n_bins, name=name) if loss == "hazards" else np.empty(0))

    @property
    def n_out(self) -> int:
        """How many numbers a network returns."""
        return max(1, len(self.edges) - 1)

    def loss(self, outcomes: Outcomes, *, alpha: float, strata: Int[Tensor, " n"] | None, device: torch.device) -> Loss:
        """Return what is minimised over these patients.

        Parameters
        ----------
        outcomes
            Of all of them.
        alpha
            See `nn.survival_losses.hazard_loss`.
        strata
            Within which Cox's likelihood compares; all with all by default.
        device
            Where it is computed.
        """

        def there(values: np.ndarray) -> Tensor:
            return torch.from_numpy(values).to(device)

        if outcomes.value is not None:
            wanted = there(((outcomes.value - self.mean) / self.spread).astype(np.float32))
            compare = functional.mse_loss if self.kind == "continuous" else functional.binary_cross_entropy_with_logits
            return lambda logits, rows: compare(logits[:, 0], wanted[rows])
        assert outcomes.time is not None
        assert outcomes.event is not None
        time, event = there(outcomes.time.astype(np.float32)), there(outcomes.event)
        if not len(self.edges):
            within = None if strata is None else strata.to(device)
            return lambda logits, rows: cox_loss(
                logits[:, 0], time[rows], event[rows], strata=None if within is None else within[rows]
            )
        bins = there(np.searchsorted(self.edges[1:-1], outcomes.time, side="left"))
        return lambda logits, rows: hazard_loss(logits, bins[rows], event[rows], alpha=alpha)

    def risk(self, logits: Float[Tensor, "n n_out"]) -> Float[np.ndarray, " n"]:
        """Return risks: higher is earlier, log odds, or the number."""
        found = hazard_risk(logits) if len(self.edges) else logits[:, 0]
        return found.double().numpy() * self.spread + self.mean

    def slope(self, logits: Float[Tensor, "1 n_out"]) -> Float[Tensor, " n_out"]:
        """Return how a patient's risk moves along each of the numbers."""
        with torch.enable_grad():
            given = logits.detach().clone().requires_grad_()
            found = hazard_risk(given) if len(self.edges) else given[:, 0]
            (moved,) = torch.autograd.grad(found.sum() * self.spread, given)
        return moved[0]

    def survival(
        self, logits: Float[Tensor, "n n_out"], months: Float[np.ndarray, " n_times"]
    ) -> Float[np.ndarray, "n n_times"]:
        """Return who is left of hazards in bins: constant within each, none beyond the last time seen."""
        left = functional.pad(log_survival(logits.double()), (1, 0)).numpy()
        return np.exp(np.stack([np.interp(months, self.edges, own) for own in left]))

    def state(self) -> State:
        """Return it as a model keeps it."""
        return State({"read_out.edges": self.edges, "read_out.scale": np.array([self.mean, self.spread])}, {})

    @classmethod
    def of_state(cls, state: State, kind: Kind) -> ReadOut:
        """Take back what `state` returned."""
        edges = state.arrays["read_out.edges"]
        (scale,) = stored_arrays(state, {"read_out.scale": "two"}, two=2)
        return cls(kind, edges, float(scale[0]), float(scale[1]))


def _edges(outcomes: Outcomes, n_bins: int, *, name: str) -> Float[np.ndarray, " n_edges"]:
    """Return edges between which equally many events fell; a time on an edge belongs to the bin before it."""
    assert outcomes.time is not None
    if outcomes.n_events < 2 * n_bins:
        msg = (
            f"{2 * n_bins} events or more expected for the {n_bins} time bins of {name}, found {outcomes.n_events}: "
            "set its loss to cox, or fewer n_bins"
        )
        raise InputError(msg)
    inner = np.unique(np.quantile(outcomes.time[outcomes.event], np.arange(1, n_bins) / n_bins))
    inner = inner[inner < outcomes.time.max()]
    if len(inner) < n_bins - 1:
        text = f"{name}: {len(inner) + 1} time bins are left of {n_bins}, as many events fell on one time"
        warnings.warn(text, stacklevel=2)
    return np.concatenate([[0.0], inner, [outcomes.time.max()]])
