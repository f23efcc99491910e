"""Checkpoints of an unfinished training: safetensors and JSON, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim import Optimizer

from mclstexp.io.atomic import atomic_path

FILE = "checkpoint.safetensors"


def save_checkpoint(
    folder: Path, module: nn.Module, optimiser: Optimizer, *, key: str, epoch: int, history: list[dict[str, float]]
) -> None:
    """Keep module, optimiser and history after `epoch` epochs, replacing the previous checkpoint."""
    arrays = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    state = optimiser.state_dict()
    for number, values in state["state"].items():
        arrays |= {f"optimiser.{number}.{name}": torch.as_tensor(value) for name, value in values.items()}
    meta = {"key": key, "epoch": str(epoch), "history": json.dumps(history)}
    with atomic_path(folder / FILE) as path:
        # clone: tensors that share memory (tied weights, views) are refused otherwise
        save_file({name: tensor.detach().clone().contiguous() for name, tensor in arrays.items()}, path, metadata=meta)


def load_checkpoint(
    folder: Path, module: nn.Module, optimiser: Optimizer, *, key: str
) -> tuple[int, list[dict[str, float]]]:
    """Put a checkpoint back; return the number of epochs done and the history: (0, []) where none fits.

    A checkpoint of other options or data (another `key`), or a damaged one, is passed over: training starts anew.
    """
    path = folder / FILE
    if not path.is_file():
        return 0, []
    try:
        from safetensors import safe_open  # noqa: PLC0415  beside its error type, used once

        with safe_open(path, "pt") as file:
            meta: dict[str, Any] = file.metadata() or {}
        if meta.get("key") != key:
            return 0, []
        arrays = load_file(path)
    except (SafetensorError, OSError):
        return 0, []
    prefix = "module."
    module.load_state_dict({name.removeprefix(prefix): t for name, t in arrays.items() if name.startswith(prefix)})
    state = optimiser.state_dict()
    for name, tensor in arrays.items():
        if name.startswith("optimiser."):
            _, number, entry = name.split(".", 2)
            state["state"].setdefault(int(number), {})[entry] = tensor
    optimiser.load_state_dict(state)
    return int(meta["epoch"]), json.loads(meta["history"])
