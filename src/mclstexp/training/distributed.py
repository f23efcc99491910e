"""Training in several processes: under `torchrun` the same command joins their batches into one.

Each process embeds its share of every batch; `gather` joins the shares with gradients, so the contrastive
negatives come from all processes; `average_gradients` then gives every process the gradient of the joined
batch. With it, any number of processes follows the same path as one process with the whole batch (dropout and
batch-norm statistics aside, which are drawn per process).
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


@contextmanager
def process_group() -> Iterator[None]:
    """Join the processes started by `torchrun`, if there are any; leave them at the end."""
    if "WORLD_SIZE" not in os.environ or dist.is_initialized():
        yield
        return
    # Its functions take the group of the moment as a default argument. Imported later (optimisers do), they would
    # keep the group and its threads alive past its destruction, and these abort the interpreter as it ends.
    importlib.import_module("torch.distributed.nn.functional")
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield
        dist.barrier()  # nobody leaves while another still talks to it
    finally:
        dist.destroy_process_group()


def world_size() -> int:
    """Return how many processes train together (1 outside `torchrun`)."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return this process's number; 0 is the one that writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def gather(local: Tensor) -> Tensor:
    """Join the rows of all processes, in rank order, keeping gradients: (n, …) → (n · world_size, …)."""
    if world_size() == 1:
        return local
    return _Gather.apply(local)


class _Gather(torch.autograd.Function):
    """All rows forward; backward, the sum over processes of what each sends to this one's rows."""

    @staticmethod
    def forward(ctx: Any, local: Tensor) -> Tensor:
        ctx.n_rows = len(local)
        parts = [torch.empty_like(local) for _ in range(world_size())]
        dist.all_gather(parts, local.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.clone()
        dist.all_reduce(gradient)
        return gradient[rank() * ctx.n_rows :][: ctx.n_rows]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over processes.

    `gather` sends every process's loss back to the rows it came from, and every process computes the whole
    batch's loss: the sum over processes counts it `world_size` times, the mean once.
    """
    if world_size() == 1:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        dist.all_reduce(parameter.grad)
        parameter.grad /= world_size()
