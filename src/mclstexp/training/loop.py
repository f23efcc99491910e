"""The training loop: epochs of shuffled batches, checkpoints, resume, several processes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from mclstexp.training.checkpoint import load_checkpoint, save_checkpoint
from mclstexp.training.distributed import average_gradients, rank, world_size

Step = Callable[[Tensor], Tensor]
"""Loss of one batch: (n,) row numbers of the *joined* batch → scalar. Under `torchrun` it embeds only `my_share`."""


@dataclass(frozen=True)
class TrainingOptions:
    """How a module is fitted."""

    epochs: int = 20
    """Passes over the training spots."""
    batch_size: int = 128
    """Spots in a batch, over all processes together."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    weight_decay: float = 1e-2
    """Decoupled for "adamw"; added to the gradient for "adam" and "sgd", as published."""
    optimiser: Literal["adamw", "adam", "sgd"] = "adamw"
    """Optimiser; "sgd" has a momentum of 0.9 (ST-Net)."""
    schedule: Literal["cosine", "constant", "step"] = "cosine"
    """"cosine": linear warm-up over a tenth of the steps, then down to zero; "constant": as published in mclSTExp;
    "step": down by `step_factor` every `step_epochs` epochs, as published in Hist2ST."""
    step_epochs: int = 50
    """For "step": epochs between two steps."""
    step_factor: float = 0.9
    """For "step": what the learning rate is multiplied by."""
    clip_norm: float | None = 1.0
    """Largest norm of the gradient; None: as it comes."""
    drop_last: bool = True
    """Leave out the rest of an epoch that does not fill a batch."""
    seed: int = 0
    """Order of batches and dropout."""
    slow_share: float = 1.0
    """Share of the learning rate for what was trained before: parameters of a submodule named "backbone"."""


def train(
    module: nn.Module,
    step: Step,
    n_rows: int,
    *,
    options: TrainingOptions,
    workdir: Path | None = None,
    key: str = "",
    on_epoch: Callable[[int, float], bool | None] | None = None,
) -> list[dict[str, float]]:
    """Fit `module` by minimising `step` over shuffled batches of `n_rows` rows.

    The order of an epoch and its dropout follow from (seed, epoch) alone; so a run that was killed and started
    again with the same `workdir` goes on after its last whole epoch and ends with the very same numbers.

    Parameters
    ----------
    module
        What is fitted, on the device where it is to be fitted.
    step
        Loss of a batch.
    n_rows
        Number of training rows.
    options
        How.
    workdir
        Folder for the checkpoint written after every epoch; none without it.
    key
        Says which data the run is about: a checkpoint of another key is not resumed.
    on_epoch
        Called with (epochs done, mean loss) after each epoch; training ends where it returns True.

    Returns
    -------
    One dictionary per epoch: epoch, loss, learning_rate.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimiser = _optimiser(module, options)
    batch_size = min(options.batch_size, n_rows)
    n_steps = n_rows // batch_size if options.drop_last else math.ceil(n_rows / batch_size)
    key = hashlib.sha256(json.dumps([key, asdict(options), n_rows, world_size()]).encode()).hexdigest()
    done, history = (0, []) if workdir is None else load_checkpoint(workdir, module, optimiser, key=key)
    for epoch in range(done, options.epochs):
        module.train()
        total = 0.0
        with _seeded(options.seed, epoch):
            for number, rows in enumerate(_batches(n_rows, batch_size, options=options, epoch=epoch)):
                rate = learning_rate(options, epoch * n_steps + number, options.epochs * n_steps)
                for group in optimiser.param_groups:
                    group["lr"] = rate * group["share"]
                optimiser.zero_grad(set_to_none=True)
                loss = step(rows)
                loss.backward()
                average_gradients(parameters)
                if options.clip_norm is not None:
                    nn.utils.clip_grad_norm_(parameters, options.clip_norm)
                optimiser.step()
                total += loss.item()
        history.append({"epoch": epoch + 1, "loss": total / n_steps, "learning_rate": rate})
        if workdir is not None and rank() == 0:
            save_checkpoint(workdir, module, optimiser, key=key, epoch=epoch + 1, history=history)
        if on_epoch is not None and on_epoch(epoch + 1, total / n_steps):
            break
    module.eval()
    return history


def my_share(rows: Tensor) -> Tensor:
    """Return the part of a joined batch that this process embeds: contiguous, in rank order, of equal length.

    Raises
    ------
    ValueError
        If the batch does not divide by the number of processes (gathering needs equal shares).
    """
    if len(rows) % world_size():
        msg = f"a batch of {len(rows)} does not divide by {world_size()} processes: choose a batch_size that does"
        raise ValueError(msg)
    n = len(rows) // world_size()
    return rows[rank() * n : (rank() + 1) * n]


def learning_rate(options: TrainingOptions, step: int, n_steps: int) -> float:
    """Return the learning rate of step number `step` of `n_steps`."""
    if options.schedule == "constant":
        return options.learning_rate
    if options.schedule == "step":
        epoch = step * options.epochs // n_steps
        return options.learning_rate * options.step_factor ** (epoch // options.step_epochs)
    warm_up = max(1, n_steps // 10)
    if step < warm_up:
        return options.learning_rate * (step + 1) / warm_up
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, n_steps - warm_up)))


def _optimiser(module: nn.Module, options: TrainingOptions) -> Optimizer:
    named = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    slow = [parameter for name, parameter in named if "backbone" in name.split(".")]
    rest = [parameter for name, parameter in named if "backbone" not in name.split(".")]
    groups = [{"params": p, "share": s} for p, s in ((rest, 1.0), (slow, options.slow_share)) if p]
    if options.optimiser == "sgd":
        return SGD(groups, lr=options.learning_rate, weight_decay=options.weight_decay, momentum=0.9)
    kind = {"adamw": AdamW, "adam": Adam}[options.optimiser]
    return kind(groups, lr=options.learning_rate, weight_decay=options.weight_decay)


def _batches(n_rows: int, batch_size: int, *, options: TrainingOptions, epoch: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(_mix(options.seed, epoch, 0))
    order = torch.randperm(n_rows, generator=generator)
    for start in range(0, n_rows, batch_size):
        rows = order[start : start + batch_size]
        if len(rows) == batch_size or not options.drop_last:
            yield rows


class _seeded:
    """Dropout and augmentation of one epoch drawn from (seed, epoch, rank), the caller's random state kept."""

    def __init__(self, seed: int, epoch: int) -> None:
        self._seed = _mix(seed, epoch, 1 + rank())
        self._fork = torch.random.fork_rng(enabled=True)

    def __enter__(self) -> None:
        self._fork.__enter__()
        torch.manual_seed(self._seed)

    def __exit__(self, *error: object) -> None:
        self._fork.__exit__(*error)  # type: ignore[arg-type]


def _mix(*numbers: int) -> int:
    """Hash numbers to one seed, so that neighbouring (seed, epoch) pairs share nothing."""
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:7], "big")
