"""Checkpoints of an unfinished training: safetensors and JSON, written whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from mclstexp.core import identity
from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path

FILE = "checkpoint.safetensors"
_SUM = "sha256"
_KEY = re.compile("[0-9a-f]{32}")


def save_checkpoint(
    folder: Path, module: nn.Module, optimiser: Optimizer, *, key: str, epoch: int, history: list[dict[str, float]]
) -> None:
    """Keep module, optimiser and history after `epoch` epochs, replacing the previous checkpoint."""
    arrays = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    state = optimiser.state_dict()
    for number, values in state["state"].items():
        arrays |= {f"optimiser.{number}.{name}": torch.as_tensor(value) for name, value in values.items()}
    # clone: tensors that share memory (tied weights, views) are refused otherwise
    arrays = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in arrays.items()}
    meta = {"key": key, "epoch": str(epoch), "history": json.dumps(history)}
    with atomic_path(folder / FILE, ours=True) as path:
        save_file(arrays, path, metadata={**meta, _SUM: _checksum(arrays, meta)})


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
        meta = _read_meta(path)
        if meta.get("key") != key:
            return 0, []
        arrays = load_file(path)
    except (SafetensorError, OSError, ValueError):
        return 0, []
    if meta.pop(_SUM, "") != _checksum(arrays, meta):
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


def _checksum(arrays: Mapping[str, Tensor], meta: Mapping[str, str]) -> str:
    """Hash all that a checkpoint holds; in the file itself, which a kill leaves as it was or replaces as a whole."""
    content = {
        name: (str(t.dtype), tuple(t.shape), t.reshape(-1).view(torch.uint8).numpy()) for name, t in arrays.items()
    }
    return identity.of("checkpoint", dict(meta), content)


def read_histories(workdir: Path) -> dict[str, list[dict[str, float]]]:
    """Read what was recorded while a method was fitted with this `workdir`.

    Returns
    -------
    Of the last fit there, for each model of the method, by its folder ("fit" where there is but one): a dictionary
    per epoch with "epoch", "loss" and "learning_rate", as `train` returns.

    Raises
    ------
    InputError
        If there is no checkpoint: the method is not fitted by `train`, or the folder was cleared.
    """
    paths, found = sorted(Path(workdir).rglob(FILE)), {}
    if paths:
        newest = max(paths, key=lambda path: path.stat().st_mtime_ns).relative_to(workdir)
        # `Predictor.fit` gives each fit a folder in it, named by its key
        root = Path(workdir) / (newest.parts[0] if _KEY.fullmatch(newest.parts[0]) else "")
        for path in paths:
            if path.is_relative_to(root):
                name = path.parent.relative_to(root).as_posix()
                found["fit" if name == "." else name] = json.loads(_read_meta(path).get("history", "[]"))
    if not found:
        msg = f"checkpoints of a fit expected in {workdir}, found none: name the folder that fit had as its workdir"
        raise InputError(msg)
    return found


def _read_meta(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        return file.metadata() or {}
