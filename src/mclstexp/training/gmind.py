"""Fitting G-MIND: steps over rows of which each has some of the modalities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mclstexp.core.progress import counted
from mclstexp.nn.gmind import Balance, GMindNetwork, Tables, gmind_loss

_SAID = 100  # steps between two words of how far it is


@dataclass(frozen=True)
class GMindOptions:
    """How G-MIND is fitted; the paper's values were not available."""

    steps: int = 1500
    """Batches."""
    batch_size: int = 64
    """Rows in each; all where there are fewer than 128."""
    learning_rate: float = 2e-3
    """Of Adam, with a weight decay of 1e-4."""
    mask_rate: float = 10.0
    """The masks' learning rate by that of the rest, without decay: they would hardly move otherwise."""
    drop: float = 0.2
    """Chance that a modality a row has is hidden from the encoders; one always stays."""
    balance_below: float = 0.3
    """Share of the rarer class below which both are drawn as often."""
    seed: int = 0
    """Start of the random numbers."""


def fit_gmind(
    network: GMindNetwork,
    tables: Tables,
    present: Bool[Tensor, "n n_modalities"],
    labels: Float[Tensor, " n"],
    *,
    options: GMindOptions,
    balance: Balance,
    on_step: Callable[[int], bool] | None = None,
) -> None:
    """Fit a network, in place.

    Parameters
    ----------
    network, tables, present, labels, balance
        As for `gmind_loss`.
    options
        How.
    on_step
        Called with the number of steps done; the fit ends where it returns True.
    """
    network.train()
    masks = network.mask_logits
    rest = [p for name, p in network.named_parameters() if not name.startswith("masks.")]
    optimiser = torch.optim.Adam(
        [
            {"params": rest, "lr": options.learning_rate, "weight_decay": 1e-4},
            {"params": masks, "lr": options.learning_rate * options.mask_rate},
        ]
    )
    varies = [_varies(table, present[:, k]) for k, table in enumerate(tables)]
    chance = _chances(labels, below=options.balance_below)
    size = len(labels) if len(labels) < 128 else options.batch_size
    with torch.random.fork_rng(), counted("gmind", options.steps, unit="step") as on_done:
        torch.manual_seed(options.seed)
        for number in range(1, options.steps + 1):
            rows = torch.multinomial(chance, min(size, int((chance > 0).sum())))
            if labels[rows].isnan().all():
                continue
            here = present[rows]
            loss = gmind_loss(
                network,
                [table[rows] for table in tables],
                here,
                labels[rows],
                shown=_dropped(here, share=options.drop),
                varies=varies,
                balance=balance,
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            if number % _SAID == 0:
                on_done(number, "")
            if on_step is not None and on_step(number):
                break
    network.eval()


@torch.inference_mode()
def gmind_logits(
    network: GMindNetwork, tables: Tables, present: Bool[Tensor, "n n_modalities"]
) -> Float[Tensor, "n n_classes"]:
    """Return logits by the expected masks."""
    training = network.training
    found = network.eval()(tables, present)
    network.train(training)
    return found


def _dropped(present: Bool[Tensor, "n n_modalities"], *, share: float) -> Bool[Tensor, "n n_modalities"]:
    """Hide each modality with a chance of `share`, all but one."""
    score = torch.rand(present.shape, device=present.device).masked_fill(~present, -1)
    kept = present & (score >= share)
    last = torch.zeros_like(present).scatter_(1, score.argmax(dim=1, keepdim=True), torch.ones_like(present[:, :1]))
    return kept | last


def _chances(labels: Float[Tensor, " n"], *, below: float) -> Float[Tensor, " n"]:
    """Return how likely each row is drawn."""
    chance = torch.ones(len(labels))
    classes, counts = labels[~labels.isnan()].unique(return_counts=True)
    if len(classes) > 1 and counts.min() < below * counts.sum():
        for one, count in zip(classes, counts, strict=True):
            chance[labels == one] = float(counts.sum()) / (len(classes) * float(count))
    return chance


def _varies(table: Float[Tensor, "n _"], present: Bool[Tensor, " n"]) -> Bool[Tensor, " _"]:
    here = table[present]
    return (here != here[:1]).any(dim=0) if len(here) else torch.zeros(table.shape[1], dtype=torch.bool)
