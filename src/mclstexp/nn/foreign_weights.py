"""Weights of other people's checkpoints: their names turned into ours, every shape checked before any is taken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from mclstexp.core.errors import InputError


def renamed(weights: Mapping[str, Tensor], patterns: Iterable[tuple[str, str]]) -> dict[str, Tensor]:
    """Return the floating-point tensors as float32 under our names: regular expressions replaced in their order."""
    ours = {}
    for name, tensor in weights.items():
        if tensor.is_floating_point():
            new = name
            for pattern, replacement in patterns:
                new = re.sub(pattern, replacement, new)
            ours[new] = tensor.float()
    return ours


def fill(
    module: nn.Module, weights: Mapping[str, Tensor], *, what: str, source: str, not_in_file: Sequence[str] = ()
) -> None:
    """Put tensors into a module; all of them fit, or nothing is changed.

    Parameters
    ----------
    module
        Filled in place. Counters (integers) keep their values.
    weights
        By the module's own names, see `renamed`.
    what, source
        Whose checkpoint it should be ("the published BLEEP"), and which file it is, for the message.
    not_in_file
        Names of the module's tensors that a checkpoint does not hold.

    Raises
    ------
    InputError
        If a tensor is missing, unknown or of another shape.
    """
    own = {
        name: tensor
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point() and name not in not_in_file
    }
    missing = sorted(set(own) - set(weights))
    wrong = [name for name in own if name in weights and own[name].shape != weights[name].shape]
    extra = sorted(set(weights) - set(own))
    if missing or wrong or extra:
        msg = (
            f"a checkpoint of {what} expected in {source}, found {len(missing)} tensors missing, {len(wrong)} of "
            f"another shape and {len(extra)} unknown (such as {(missing + wrong + extra)[0]}): "
            "give the file its training script saved, with the options it was trained with"
        )
        raise InputError(msg)
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name])
